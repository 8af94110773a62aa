// Selfupdate is a device whose program replaces itself by LwM2M: a server pushes a signed image, or
// names a URI to download it from, the device checks the signature, and installs the new program
// when the server says so. A new program that does not come up never replaces the old one.
//
// To try it on this machine, build two versions:
//
//	go build -o probe -ldflags "-X main.version=1.0.0" ./examples/selfupdate
//	go build -o probe-1.1.0 -ldflags "-X main.version=1.1.0" ./examples/selfupdate
//
// Make a pair of keys, probe.key and probe.pub, and sign the new version, which makes
// probe-1.1.0.image:
//
//	./probe keygen probe
//	./probe sign -key probe.key -version 1.1.0 probe-1.1.0
//
// Start a server that pushes the image, and, in another terminal, the device:
//
//	go run ./examples/selfupdate/pushserver probe-1.1.0.image
//	./probe run -server coap://127.0.0.1:5683 -dir state -public-key probe.pub
//
// The device registers, shows the progress of the transfer, and goes on as version 1.1.0. What was
// version 1.0.0 is in probe.old.
//
// # Images
//
// An image is a signature file of minisign followed by the program, so that one file carries both:
//
//	minisign -S -s probe.key -m probe-1.1.0 -t "version:1.1.0 os:linux arch:amd64"
//	cat probe-1.1.0.minisig probe-1.1.0 > probe-1.1.0.image
//
// These two commands do the same as "probe sign". The trusted comment, which is signed, says what
// the program is: words of the form key:value, of which version, os and arch are required. The word
// size is optional: with it the device shows how far the transfer is in percent. Other words are
// ignored.
//
// # The life of an update
//
// The first process is a supervisor. It starts the device, which is the same program, as a process
// of its own, and starts it again when it ends.
//
//  1. The image arrives in a file, and the device verifies it.
//  2. When a server executes Update, the device verifies it again, writes the program to probe.new,
//     and ends.
//  3. The supervisor starts probe.new with its own arguments, on probation: the new program has to
//     register with the server within -health-timeout. While it is on probation a server reads the
//     state Updating.
//  4. If it registers, the supervisor renames probe.new to probe, keeps the old program as
//     probe.old, and replaces itself by the new program. The device reports success.
//  5. If it does not, whatever the reason, the supervisor deletes probe.new and starts probe again.
//     The device reports the Update Result 8 (failed).
//
// So the name probe never stands for a program that has not registered with the server before, and
// the service manager that starts it after a loss of power always starts one that works. A
// supervisor that starts deletes probe.new: a probation that was interrupted has failed, and
// nothing is tried twice. docs/updates.md explains why it is built this way.
//
// A service manager starts "probe run" at boot and again when it ends, by Restart=always in a unit
// of systemd.
package main
