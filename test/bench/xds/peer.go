package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
)

// The types that it serves, with an empty message of each.
var served = map[string]func() types.Resource{
	resource.ClusterType:  func() types.Resource { return &cluster.Cluster{} },
	resource.EndpointType: func() types.Resource { return &endpoint.ClusterLoadAssignment{} },
	resource.ListenerType: func() types.Resource { return &listener.Listener{} },
	resource.RouteType:    func() types.Resource { return &route.RouteConfiguration{} },
}

// runPeer serves the file's resources from one linear cache per type, and takes changes from stdin: `TYPE_URL BASE64`, one a
// line. Ends with its stdin.
func runPeer(listen, path string) error {
	caches, err := loadCaches(path)
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer(
		grpc.MaxConcurrentStreams(1_000_000),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	)
	mux := &cache.MuxCache{
		Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
		Caches:        map[string]cache.Cache{},
	}
	for typeURL, linear := range caches {
		mux.Caches[typeURL] = linear
	}
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(context.Background(), mux, nil))
	go func() { fail(grpcServer.Serve(socket)) }()
	fmt.Printf("{\"event\":\"listening\",\"address\":%q}\n", socket.Addr().String())
	return takeChanges(caches)
}

func loadCaches(path string) (map[string]*cache.LinearCache, error) {
	stored, err := readResources(path)
	if err != nil {
		return nil, err
	}
	initial := map[string]map[string]types.Resource{}
	for typeURL := range served {
		initial[typeURL] = map[string]types.Resource{}
	}
	for _, one := range stored {
		if initial[one.GetTypeUrl()] == nil {
			continue
		}
		name, message, err := decode(one.GetTypeUrl(), one.GetValue())
		if err != nil {
			return nil, err
		}
		initial[one.GetTypeUrl()][name] = message
	}
	caches := map[string]*cache.LinearCache{}
	for typeURL, resources := range initial {
		caches[typeURL] = cache.NewLinearCache(typeURL, cache.WithInitialResources(resources))
	}
	return caches, nil
}

func decode(typeURL string, value []byte) (string, types.Resource, error) {
	made, ok := served[typeURL]
	if !ok {
		return "", nil, fmt.Errorf("type %q is not served", typeURL)
	}
	message := made()
	if err := proto.Unmarshal(value, message); err != nil {
		return "", nil, fmt.Errorf("a resource of type %s: %w", typeURL, err)
	}
	return cache.GetResourceName(message), message, nil
}

func takeChanges(caches map[string]*cache.LinearCache) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		typeURL, encoded, _ := strings.Cut(lines.Text(), " ")
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return err
		}
		name, message, err := decode(typeURL, value)
		if err != nil {
			return err
		}
		if err := caches[typeURL].UpdateResource(name, message); err != nil {
			return err
		}
	}
	return lines.Err()
}
