package main

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec passes messages as bytes: the client reads of a response only what it needs, for every server alike.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

// received is a response of either protocol; name and version of SotW resources are inside them.
type received struct {
	typeURL, nonce, version string
	resources               []resourceBytes
	removed                 []string
}

// resourceBytes is one resource: the bytes of its Any, and of the message in it.
type resourceBytes struct {
	name       string
	any, value []byte
}

// Field numbers of discovery.proto.
const (
	deltaResources, deltaTypeURL, deltaNonce, deltaRemoved = 2, 4, 5, 6
	sotwVersion, sotwResources, sotwTypeURL, sotwNonce     = 1, 2, 4, 5
	resourceAny, resourceName                              = 2, 3
	anyValue                                               = 2
)

func parseDelta(bytes []byte) (*received, error) {
	response := &received{}
	err := fields(bytes, func(number protowire.Number, content []byte) error {
		switch number {
		case deltaTypeURL:
			response.typeURL = string(content)
		case deltaNonce:
			response.nonce = string(content)
		case deltaRemoved:
			response.removed = append(response.removed, string(content))
		case deltaResources:
			one := resourceBytes{}
			err := fields(content, func(inner protowire.Number, part []byte) error {
				switch inner {
				case resourceName:
					one.name = string(part)
				case resourceAny:
					one.any = part
				}
				return nil
			})
			if err != nil {
				return err
			}
			if one.value, err = field(one.any, anyValue); err != nil {
				return err
			}
			response.resources = append(response.resources, one)
		}
		return nil
	})
	return response, err
}

func parseSotw(bytes []byte) (*received, error) {
	response := &received{}
	err := fields(bytes, func(number protowire.Number, content []byte) error {
		switch number {
		case sotwVersion:
			response.version = string(content)
		case sotwTypeURL:
			response.typeURL = string(content)
		case sotwNonce:
			response.nonce = string(content)
		case sotwResources:
			value, err := field(content, anyValue)
			if err != nil {
				return err
			}
			// Name of clusters, listeners and routes, cluster_name of assignments: field 1 of all four.
			name, err := field(value, 1)
			if err != nil {
				return err
			}
			response.resources = append(response.resources, resourceBytes{name: string(name), any: content, value: value})
		}
		return nil
	})
	return response, err
}

// field finds the first length-delimited field of that number; nil when there is none.
func field(bytes []byte, wanted protowire.Number) ([]byte, error) {
	var found []byte
	err := fields(bytes, func(number protowire.Number, content []byte) error {
		if number == wanted && found == nil {
			found = content
		}
		return nil
	})
	return found, err
}

// fields calls back for each length-delimited field.
func fields(bytes []byte, take func(number protowire.Number, content []byte) error) error {
	for len(bytes) > 0 {
		number, kind, length := protowire.ConsumeTag(bytes)
		if length < 0 {
			return fmt.Errorf("not a message: %w", protowire.ParseError(length))
		}
		bytes = bytes[length:]
		if kind == protowire.BytesType {
			content, size := protowire.ConsumeBytes(bytes)
			if size < 0 {
				return fmt.Errorf("not a message: %w", protowire.ParseError(size))
			}
			if err := take(number, content); err != nil {
				return err
			}
			bytes = bytes[size:]
			continue
		}
		size := protowire.ConsumeFieldValue(number, kind, bytes)
		if size < 0 {
			return fmt.Errorf("not a message: %w", protowire.ParseError(size))
		}
		bytes = bytes[size:]
	}
	return nil
}
