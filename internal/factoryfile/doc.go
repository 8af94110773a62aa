// Package factoryfile makes factory files: the instances of the Security, the Server, the Access
// Control and further objects that a device is made with, in the format of a Bootstrap-Pack (SenML
// CBOR or SenML JSON).
//
// [Build] makes the entries of a file from YAML, [Encode] and [Decode] are its two formats, [Check]
// says what is inconsistent, and [Show] prints a file without its secrets.
//
// # Parts
//
//   - yaml.go parses the YAML and reports faults with their lines. variables.go replaces variables.
//   - account.go makes the instances of accounts, credentials.go their keys and certificates.
//   - access.go makes the instances of the Access Control object, objects.go those of any object.
//   - check.go compares a whole file with the definitions and with itself.
package factoryfile
