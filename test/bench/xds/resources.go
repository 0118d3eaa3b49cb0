package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// readResources reads a file of Any messages, each behind its length as a varint.
func readResources(path string) ([]*anypb.Any, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	var found []*anypb.Any
	for {
		length, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		bytes := make([]byte, length)
		if _, err := io.ReadFull(in, bytes); err != nil {
			return nil, fmt.Errorf("%s ends within a resource: %w", path, err)
		}
		resource := &anypb.Any{}
		if err := proto.Unmarshal(bytes, resource); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, resource)
	}
}

// writeResources writes what readResources reads.
func writeResources(path string, resources [][]byte) error {
	var out []byte
	for _, resource := range resources {
		out = binary.AppendUvarint(out, uint64(len(resource)))
		out = append(out, resource...)
	}
	return os.WriteFile(path, out, 0o600)
}
