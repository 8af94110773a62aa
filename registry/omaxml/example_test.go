package omaxml_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

const boiler = `<LWM2M>
  <Object ObjectType="MODefinition">
    <Name>Boiler</Name>
    <Description1>A boiler that heats water.</Description1>
    <ObjectID>33000</ObjectID>
    <ObjectURN>urn:oma:lwm2m:x:33000</ObjectURN>
    <MultipleInstances>Single</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="1">
        <Name>State</Name>
        <Operations>R</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Mandatory</Mandatory>
        <Type>Integer</Type>
        <RangeEnumeration>0: Off
          1: Heating</RangeEnumeration>
      </Item>
      <Item ID="0">
        <Name>Water Temperature</Name>
        <Operations>R</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Mandatory</Mandatory>
        <Type>Float</Type>
        <RangeEnumeration>hot to boiling</RangeEnumeration>
        <Units>Cel</Units>
      </Item>
    </Resources>
  </Object>
</LWM2M>`

func ExampleRead() {
	objects, faults, err := omaxml.Read("boiler.xml", strings.NewReader(boiler))
	if err != nil {
		log.Fatal(err)
	}
	for _, fault := range faults {
		fmt.Println(fault)
	}
	for _, o := range objects {
		fmt.Println(o.ID, o.Name, o.Version)
		for _, r := range o.Resources {
			fmt.Println(r.ID, r.Name, r.Ops, r.Type, r.Range, r.Units)
		}
	}
	// Output:
	// boiler.xml:25: 33000/0: the range "hot to boiling" stays documentation: it is not an interval or a list of numbers, write a..b, or a list of values such as 0, 5, 10
	// 33000 Boiler 1.0
	// 0 Water Temperature R Float  Cel
	// 1 State R Integer 0, 1
}
