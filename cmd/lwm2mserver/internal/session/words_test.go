package session

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	for line, want := range map[string][][]string{
		"":                               nil,
		" ; ;\n":                         nil,
		"read h 3/0":                     {{"read", "h", "3/0"}},
		"read h 3/0; read h 3303":        {{"read", "h", "3/0"}, {"read", "h", "3303"}},
		"devices\nquit":                  {{"devices"}, {"quit"}},
		"devices # all of them; quit":    {{"devices"}},
		"# nothing\nquit":                {{"quit"}},
		`write h "A/0/Set Point" 60`:     {{"write", "h", "A/0/Set Point", "60"}},
		`write h 3/0/15 "a; b"`:          {{"write", "h", "3/0/15", "a; b"}},
		`create h 3 Name="a b"c`:         {{"create", "h", "3", "Name=a bc"}},
		`execute h 3/0/4 0='5; 6',1='x'`: {{"execute", "h", "3/0/4", "0='5; 6',1='x'"}},
		`write h 3/0/15 it's`:            {{"write", "h", "3/0/15", "it's"}},
		`write h 3/0/15 ' x`:             {{"write", "h", "3/0/15", "'", "x"}},
		`write h 3/0/15 ""`:              {{"write", "h", "3/0/15", ""}},
		`write h 3/0/15 a#b`:             {{"write", "h", "3/0/15", "a#b"}},
	} {
		commands, err := parse(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		var got [][]string
		for _, c := range commands {
			var texts []string
			for _, w := range c {
				texts = append(texts, w.text)
			}
			got = append(got, texts)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
	if _, err := parse(`write h 3/0/15 "open`); err == nil {
		t.Error("an open quote is accepted")
	}
}

func TestAssignments(t *testing.T) {
	commands, err := parse(`Set Point=60 1=x=y "Set Point=a b" "Set Point"=7`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := assignments(commands[0])
	want := []assignment{{"Set Point", "60"}, {"1", "x=y"}, {"Set Point", "a b"}, {"Set Point", "7"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the assignments are %q, %v, want %q", got, err, want)
	}
	if _, err := assignments([]word{{text: "Set"}, {text: "Point"}}); err == nil {
		t.Error("words without a value are accepted")
	}
}

// Every line is parsed without a panic, and what was parsed has no empty command.
func FuzzParse(f *testing.F) {
	f.Add(`write h "A/0/Set Point" 60; execute h 3/0/4 0='5' # comment`)
	f.Add(`'`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, line string) {
		commands, err := parse(line)
		for _, c := range commands {
			if err != nil || len(c) == 0 {
				t.Errorf("%q has the commands %v, %v", line, commands, err)
			}
		}
	})
}
