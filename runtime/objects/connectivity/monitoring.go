package connectivity

import (
	"context"
	"net"
	"time"

	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// MonitoringInstance is the instance of the Connectivity Monitoring object.
type MonitoringInstance = connectivitymonitoring.Instance

// MonitoringConfig is the configuration of NewMonitoring.
type MonitoringConfig struct {
	// Instance holds what your program knows of the network, most of it by functions, such as
	// dm.Func(modem.RSSI, dm.DeadBand(3)). A resource that you leave out does not exist, except for
	// the mandatory ones: IP Addresses are those of the operating system, Available Network Bearer
	// is Network Bearer alone, and Network Bearer and Radio Signal Strength exist without a value.
	Instance MonitoringInstance
	// Interface is the network interface whose addresses the operating system is asked for, such as
	// "wwan0". The zero value means all interfaces.
	Interface string
}

// addressInterval is the interval in which observations ask for the addresses.
const addressInterval = 10 * time.Second

// NewMonitoring returns the Connectivity Monitoring object (4) with its instance.
func NewMonitoring(c MonitoringConfig) (*connectivitymonitoring.Object, error) {
	inst := c.Instance
	if !inst.NetworkBearer.Supported() {
		inst.NetworkBearer = behaviour.Unknown[int64]()
	}
	if !inst.AvailableNetworkBearer.Supported() {
		bearer := inst.NetworkBearer
		inst.AvailableNetworkBearer = dm.FuncMulti(func(ctx context.Context) (map[dm.ResourceInstanceID]int64, error) {
			v, err := bearer.Read(ctx)
			return map[dm.ResourceInstanceID]int64{0: v}, err
		})
	}
	if !inst.RadioSignalStrength.Supported() {
		inst.RadioSignalStrength = behaviour.Unknown[int64]()
	}
	if !inst.IPAddresses.Supported() {
		inst.IPAddresses = dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]string, error) {
			return addresses(c.Interface)
		}, dm.SampleEvery(addressInterval))
	}
	o, err := connectivitymonitoring.New(connectivitymonitoring.Config{})
	return behaviour.Single(o, err, inst)
}

// addresses returns the unicast addresses of an interface, or of all for "", without those that no
// one outside of the link can reach. They are unknown, and not an error, if the interface does not
// exist at the moment.
func addresses(name string) (map[dm.ResourceInstanceID]string, error) {
	addrs, err := interfaceAddrs(name)
	if err != nil {
		return nil, dm.ErrNoValue
	}
	list := map[dm.ResourceInstanceID]string{}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || n.IP.IsLinkLocalUnicast() {
			continue
		}
		list[dm.ResourceInstanceID(len(list))] = n.IP.String()
	}
	return list, nil
}

func interfaceAddrs(name string) ([]net.Addr, error) {
	if name == "" {
		return net.InterfaceAddrs()
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	return i.Addrs()
}
