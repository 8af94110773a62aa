package goname

import (
	"go/token"
	"testing"
	"testing/quick"
	"unicode"
)

func TestExported(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"Sensor Value", "SensorValue"},
		{"Reset Min and Max Measured Values", "ResetMinAndMaxMeasuredValues"},
		{"Short Server ID", "ShortServerID"},
		{"LWM2M Server URI", "LWM2MServerURI"},
		{"LwM2M Server SMS Number", "LwM2MServerSMSNumber"},
		// Initialisms, also within words in mixed case and in small letters.
		{"Server Uri", "ServerURI"},
		{"Node Id", "NodeID"},
		{"radioBearerId", "RadioBearerID"},
		{"ip address", "IPAddress"},
		{"targetCellRsrp", "TargetCellRSRP"},
		{"plmnID", "PlmnID"},
		{"Idle Time", "IdleTime"},
		{"eDRX parameters for A/Gb mode", "EDRXParametersForAGbMode"},
		{"IoT", "IoT"},
		// Capitals that mean nothing.
		{"MAX_RETRANSMIT", "MaxRetransmit"},
		{"ACK_TIMEOUT", "ACKTimeout"},
		{"num_prach_repetition", "NumPrachRepetition"},
		{"THD-V R", "THDVR"},
		{"PM10", "PM10"},
		// Punctuation and blanks.
		{"On/Off", "OnOff"},
		{"SMS Binding Secret Key(s)", "SMSBindingSecretKeys"},
		{"Active energy (|+A|+|-A|) Combined total", "ActiveEnergyAACombinedTotal"},
		{"PM2.5 24 hour average", "PM2524HourAverage"},
		{"rsrp-Result ", "RSRPResult"},
		{"User's name", "UsersName"},
		{"User’s name", "UsersName"},
		{"Group\u00a0 Address", "GroupAddress"},
		{"\tTabs\r\nand lines ", "TabsAndLines"},
		{"Zero\u200bwidth", "ZeroWidth"},
		// Leading digits.
		{"5QI", "FiveQI"},
		{"3-Phase Active Power", "ThreePhaseActivePower"},
		{"24 hour average", "N24HourAverage"},
		{"7", "Seven"},
		{"_7", "Seven"},
		{"_7UP", "SevenUp"},
		// Words of the language are no danger: the first letter is a capital.
		{"Type", "Type"},
		{"package", "Package"},
		{"switch", "Switch"},
		{"string", "String"},
		// Beyond ASCII.
		{"Température", "Temperature"},
		{"Zäh\u0308ler", "Zaehler"},
		{"Größe", "Groesse"},
		{"µg per m³", "UgPerM3"},
		{"phase angle φ", "PhaseAnglePhi"},
		{"温度 sensor", "Sensor"},
		// Nothing to make a name of.
		{"", ""},
		{"---", ""},
		{"温度", ""},
		{"\xff\xfe", ""},
	} {
		if got := Exported(tt.name); got != tt.want {
			t.Errorf("Exported(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSuffix(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"5G", "5G"},
		{"2.4 GHz", "24GHz"},
		{"Certificate mode", "CertificateMode"},
		{"REJECTED_WITH_CERTAINTY", "RejectedWithCertainty"},
		{"!", ""},
	} {
		if got := Suffix(tt.name); got != tt.want {
			t.Errorf("Suffix(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPackage(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"Temperature", "temperature"},
		{"Firmware Update", "firmwareupdate"},
		{"LWM2M Security", "security"},
		{"LwM2M Server", "server"},
		{"LwM2M v1.1 Test Object", "testobject"},
		{"LwM2M v1.10 Test Object", "testobject"},
		{"LwM2M", "lwm2m"},
		{"LwM2M v1.1", "lwm2mv11"},
		{"3-Phase Power Meter", "threephasepowermeter"},
		{"5GNR Connectivity", "fivegnrconnectivity"},
		{"rachLatency_delay", "rachlatencydelay"},
		{"AT&T Connectivity Extension", "attconnectivityextension"},
		{"On/Off switch", "onoffswitch"},
		{"Time", "time"},
		{"Größe", "groesse"},
		{"温度", ""},
		{"", ""},
	} {
		if got := Package(tt.name); got != tt.want {
			t.Errorf("Package(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTaken(t *testing.T) {
	for _, name := range []string{"time", "switch", "string", "dm", "internal", "documentation", "main"} {
		if !Taken(name) {
			t.Errorf("Taken(%q) = false", name)
		}
	}
	for _, name := range []string{"temperature", "device", "location", "time3333", "switches"} {
		if Taken(name) {
			t.Errorf("Taken(%q) = true", name)
		}
	}
	for name, want := range map[string]bool{"internal": true, "func": true, "time": false, "error": false} {
		if got := Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %t, want %t", name, got, want)
		}
	}
}

// TestValid checks that every string gives a valid name or an empty one.
func TestValid(t *testing.T) {
	exported := func(name string) bool {
		got := Exported(name)
		return got == "" || token.IsIdentifier(got) && token.IsExported(got) && ascii(got)
	}
	pkg := func(name string) bool {
		got := Package(name)
		return got == "" || (token.IsIdentifier(got) || token.IsKeyword(got)) && ascii(got)
	}
	for _, f := range []func(string) bool{exported, pkg} {
		if err := quick.Check(f, nil); err != nil {
			t.Error(err)
		}
	}
}

func FuzzExported(f *testing.F) {
	for _, name := range []string{"Sensor Value", "5QI", "24 hour", "MAX_RETRANSMIT", "radioBearerId", "Größe", "|+A|", "温度", "_0"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := Exported(name); got != "" && !(token.IsIdentifier(got) && token.IsExported(got) && ascii(got)) {
			t.Errorf("Exported(%q) = %q, which is no exported identifier", name, got)
		}
	})
}

func ascii(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII {
			return false
		}
	}
	return true
}
