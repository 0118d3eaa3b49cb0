package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	service = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
	// The one route configuration that the outbound listener names.
	routeName = "outbound"
)

type streamOptions struct {
	server string
	sotw   bool
	marker []byte
	counts map[string]int
	keep   bool
}

// stream is one ADS stream on a connection of its own. It asks and answers as Envoy does: clusters, the endpoints that they
// name, then listeners, then routes; every response is ACKed.
type stream struct {
	index   int
	who     identity
	options streamOptions
	board   *board
	call    grpc.ClientStream
	node    *core.Node
	have    map[string]map[string]struct{}
	asked   map[string]bool
	// SotW: what is subscribed, and the version last accepted.
	names    map[string][]string
	versions map[string]string
	full     bool
	lock     sync.Mutex
	kept     map[string]map[string][]byte
}

func newStream(index int, who identity, options streamOptions, board *board) *stream {
	one := &stream{
		index: index, who: who, options: options, board: board,
		have: map[string]map[string]struct{}{}, asked: map[string]bool{},
		names: map[string][]string{}, versions: map[string]string{}, kept: map[string]map[string][]byte{},
	}
	for _, typeURL := range order {
		one.have[typeURL] = map[string]struct{}{}
		one.kept[typeURL] = map[string][]byte{}
	}
	return one
}

// run serves the stream until it ends, which is a failure.
func (s *stream) run() error {
	if err := s.open(); err != nil {
		return err
	}
	if err := s.ask(resource.ClusterType, nil); err != nil {
		return err
	}
	for {
		var raw []byte
		if err := s.call.RecvMsg(&raw); err != nil {
			return err
		}
		at := now()
		if err := s.take(raw, at); err != nil {
			return err
		}
	}
}

func (s *stream) open() error {
	fields := map[string]any{}
	for key, value := range s.who.Metadata {
		fields[key] = value
	}
	described, err := structpb.NewStruct(fields)
	if err != nil {
		return err
	}
	s.node = &core.Node{Id: s.who.Metadata["name"], Cluster: s.who.Metadata["cluster"], Metadata: described}
	conn, err := grpc.NewClient("passthrough:///"+s.options.server,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A server that is slow to accept is measured, not given up.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Minute, Backoff: backoff.DefaultConfig}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.ForceCodecV2(rawCodec{})),
		grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(1<<20))
	if err != nil {
		return err
	}
	method := "DeltaAggregatedResources"
	if s.options.sotw {
		method = "StreamAggregatedResources"
	}
	ctx := context.Background()
	if s.who.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.who.Token)
	}
	s.call, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, service+method)
	return err
}

// take reads a response, notes what came, ACKs it, and asks for what follows from it.
func (s *stream) take(raw []byte, at int64) error {
	parse := parseDelta
	if s.options.sotw {
		parse = parseSotw
	}
	response, err := parse(raw)
	if err != nil {
		return err
	}
	if s.have[response.typeURL] == nil {
		return fmt.Errorf("a response of type %q, which was not asked for", response.typeURL)
	}
	fresh := s.note(response, at)
	s.versions[response.typeURL] = response.version
	if err := s.acknowledge(response); err != nil {
		return err
	}
	if response.typeURL == resource.ClusterType && len(fresh) > 0 {
		if err := s.ask(resource.EndpointType, fresh); err != nil {
			return err
		}
	}
	return s.proceed(at)
}

// note returns the names that the stream did not have; of clusters, those that have their endpoints by EDS.
func (s *stream) note(response *received, at int64) []string {
	if s.options.keep {
		s.lock.Lock()
		defer s.lock.Unlock()
	}
	var fresh []string
	have := s.have[response.typeURL]
	for _, one := range response.resources {
		if _, known := have[one.name]; !known {
			have[one.name] = struct{}{}
			if response.typeURL != resource.ClusterType || usesEDS(one.value) {
				fresh = append(fresh, one.name)
			}
		}
		if s.options.keep {
			s.kept[response.typeURL][one.name] = bytes.Clone(one.any)
		}
		if number, ok := s.changeIn(one.value); ok && response.typeURL == resource.EndpointType {
			s.board.has(s.index, one.name, seen{number: number, at: at})
		}
	}
	for _, name := range response.removed {
		delete(have, name)
		delete(s.kept[response.typeURL], name)
	}
	return fresh
}

// usesEDS tells whether a cluster has an eds_cluster_config (cluster.proto, field 3).
func usesEDS(cluster []byte) bool {
	config, err := field(cluster, 3)
	return err == nil && config != nil
}

// changeIn finds MARKER then CC.1AA.1BB in a resource, which spells a number's digits two by two.
func (s *stream) changeIn(value []byte) (int, bool) {
	if len(s.options.marker) == 0 {
		return 0, false
	}
	at := bytes.Index(value, s.options.marker)
	rest := at + len(s.options.marker)
	if at < 0 || len(value) < rest+len("CC.1AA.1BB") {
		return 0, false
	}
	number := 0
	for _, offset := range []int{0, 1, 4, 5, 8, 9} {
		number = 10*number + int(value[rest+offset]-'0')
	}
	return number, true
}

// proceed asks for listeners when clusters and endpoints are whole, for routes with the listeners, and tells once when all is.
func (s *stream) proceed(at int64) error {
	if s.full {
		return nil
	}
	whole := func(typeURL string) bool { return len(s.have[typeURL]) >= max(s.options.counts[typeURL], 1) }
	if whole(resource.ClusterType) && whole(resource.EndpointType) && !s.asked[resource.ListenerType] {
		if err := s.ask(resource.ListenerType, nil); err != nil {
			return err
		}
	}
	if whole(resource.ListenerType) && !s.asked[resource.RouteType] {
		if err := s.ask(resource.RouteType, []string{routeName}); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(order, func(typeURL string) bool { return !whole(typeURL) }) {
		return nil
	}
	s.full = true
	s.board.isFull(s.index, at)
	return nil
}

// ask subscribes to names, or to everything of a type.
func (s *stream) ask(typeURL string, names []string) error {
	s.asked[typeURL] = true
	if !s.options.sotw {
		return s.send(&discovery.DeltaDiscoveryRequest{Node: s.takeNode(), TypeUrl: typeURL, ResourceNamesSubscribe: names})
	}
	s.names[typeURL] = append(s.names[typeURL], names...)
	return s.send(&discovery.DiscoveryRequest{
		Node: s.takeNode(), TypeUrl: typeURL, ResourceNames: s.names[typeURL], VersionInfo: s.versions[typeURL],
	})
}

func (s *stream) acknowledge(response *received) error {
	if !s.options.sotw {
		return s.send(&discovery.DeltaDiscoveryRequest{TypeUrl: response.typeURL, ResponseNonce: response.nonce})
	}
	return s.send(&discovery.DiscoveryRequest{
		TypeUrl: response.typeURL, ResponseNonce: response.nonce, VersionInfo: response.version, ResourceNames: s.names[response.typeURL],
	})
}

// takeNode returns the node once: it goes with the first request of a stream.
func (s *stream) takeNode() *core.Node {
	node := s.node
	s.node = nil
	return node
}

func (s *stream) send(request proto.Message) error {
	raw, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	return s.call.SendMsg(&raw)
}

// dump writes what the stream has, type by type, and counts it.
func (s *stream) dump(path string) ([]int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	var all [][]byte
	counts := make([]int, len(order))
	for index, typeURL := range order {
		names := make([]string, 0, len(s.kept[typeURL]))
		for name := range s.kept[typeURL] {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all = append(all, s.kept[typeURL][name])
		}
		counts[index] = len(names)
	}
	return counts, writeResources(path, all)
}
