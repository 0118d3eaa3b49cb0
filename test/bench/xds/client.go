package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"golang.org/x/sys/unix"
)

// identity is what a proxy says of itself, and the token that proves it.
type identity struct {
	Token    string            `json:"token"`
	Metadata map[string]string `json:"metadata"`
}

// clientOptions are the flags of `xds client`.
type clientOptions struct {
	server, identities, marker, dump *string
	sotw                             *bool
	count                            *int
	expect                           *string
}

func clientFlags(flags *flag.FlagSet) clientOptions {
	return clientOptions{
		server:     flags.String("server", "", "IP:PORT of the ADS server"),
		identities: flags.String("identities", "", "file of JSON lines {token, metadata}, one for each stream"),
		count:      flags.Int("count", 0, "streams; 0 for one per identity"),
		sotw:       flags.Bool("sotw", false, "state of the world instead of delta"),
		marker:     flags.String("marker", "", "what changes carry: MARKER then CC.1AA.1BB, the number of the change is CCAABB"),
		expect:     flags.String("expect", "", "CDS,EDS,LDS,RDS: how many resources make a full configuration"),
		dump:       flags.String("dump", "", "write what the first stream has to this file on the command `dump`"),
	}
}

// now is the monotonic clock of the machine in microseconds, the same that the benchmark reads.
func now() int64 {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &at); err != nil {
		fail(err)
	}
	return at.Nano() / 1_000
}

// runClient opens all streams at once and tells, in JSON lines, when all of them have a full configuration and when each has
// each change. Commands on stdin, one a line: `expect NUMBER RESOURCE`, `dump`. Ends with its stdin.
func runClient(options clientOptions) error {
	identities, err := readIdentities(*options.identities, *options.count)
	if err != nil {
		return err
	}
	counts, err := readCounts(*options.expect)
	if err != nil {
		return err
	}
	board := newBoard(len(identities))
	streams := make([]*stream, len(identities))
	started := now()
	for index, who := range identities {
		streams[index] = newStream(index, who, streamOptions{
			server: *options.server, sotw: *options.sotw, marker: []byte(*options.marker), counts: counts, keep: *options.dump != "" && index == 0,
		}, board)
		go func() { fail(fmt.Errorf("stream %d: %w", index, streams[index].run())) }()
	}
	board.started(started)
	return takeCommands(board, streams[0], *options.dump)
}

func takeCommands(board *board, first *stream, dump string) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 3 && words[0] == "expect":
			number, err := strconv.Atoi(words[1])
			if err != nil {
				return err
			}
			board.expect(number, words[2])
		case len(words) == 1 && words[0] == "dump":
			counts, err := first.dump(dump)
			if err != nil {
				return err
			}
			board.say(map[string]any{"event": "dumped", "counts": counts})
		default:
			return fmt.Errorf("unknown command %q", lines.Text())
		}
	}
	return lines.Err()
}

func readIdentities(path string, count int) ([]identity, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []identity
	for line := range strings.Lines(string(content)) {
		var one identity
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, one)
	}
	if count > len(all) {
		return nil, fmt.Errorf("%s has %d identities, %d are wanted", path, len(all), count)
	}
	if count > 0 {
		all = all[:count]
	}
	return all, nil
}

// The order in which Envoy asks.
var order = []string{resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType}

func readCounts(text string) (map[string]int, error) {
	counts := map[string]int{}
	if text == "" {
		return counts, nil
	}
	for index, part := range strings.Split(text, ",") {
		count, err := strconv.Atoi(part)
		if err != nil || index >= len(order) {
			return nil, fmt.Errorf("-expect %s is not CDS,EDS,LDS,RDS", text)
		}
		counts[order[index]] = count
	}
	return counts, nil
}

// board collects what the streams have seen, and tells.
type board struct {
	lock    sync.Mutex
	out     *json.Encoder
	streams int
	full    []int64
	fulls   int
	begun   int64
	// By resource: the newest change each stream has, and when it came.
	newest map[string][]seen
	open   map[string][]*wanted
}

type seen struct {
	number int
	at     int64
}

// wanted is a change that not all streams have yet.
type wanted struct {
	number  int
	at      []int64
	missing int
}

func newBoard(streams int) *board {
	return &board{
		out: json.NewEncoder(os.Stdout), streams: streams, full: make([]int64, streams),
		newest: map[string][]seen{}, open: map[string][]*wanted{},
	}
}

func (b *board) say(event map[string]any) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.tell(event)
}

func (b *board) tell(event map[string]any) {
	if err := b.out.Encode(event); err != nil {
		fail(err)
	}
}

func (b *board) started(at int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.begun = at
	b.tellFull()
}

// isFull notes that a stream has a full configuration.
func (b *board) isFull(stream int, at int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.full[stream] = at
	b.fulls++
	b.tellFull()
}

func (b *board) tellFull() {
	if b.fulls == b.streams && b.begun != 0 {
		b.tell(map[string]any{"event": "full", "started": b.begun, "at": b.full})
	}
}

// expect begins to wait for a change: it counts as seen with this or a newer one of the same resource.
func (b *board) expect(number int, name string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	one := &wanted{number: number, at: make([]int64, b.streams), missing: b.streams}
	for stream, newest := range b.newest[name] {
		if newest.number >= number {
			one.at[stream] = newest.at
			one.missing--
		}
	}
	b.open[name] = append(b.open[name], one)
	b.settle(name)
}

// has notes that a stream got a change.
func (b *board) has(stream int, name string, change seen) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.newest[name] == nil {
		b.newest[name] = make([]seen, b.streams)
		for index := range b.newest[name] {
			b.newest[name][index].number = -1
		}
	}
	b.newest[name][stream] = change
	done := false
	for _, one := range b.open[name] {
		if one.number <= change.number && one.at[stream] == 0 {
			one.at[stream] = change.at
			one.missing--
			done = done || one.missing == 0
		}
	}
	if done {
		b.settle(name)
	}
}

func (b *board) settle(name string) {
	var left []*wanted
	for _, one := range b.open[name] {
		if one.missing > 0 {
			left = append(left, one)
			continue
		}
		b.tell(map[string]any{"event": "change", "number": one.number, "at": one.at})
	}
	b.open[name] = left
}
