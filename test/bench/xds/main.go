// Command xds measures xDS servers: `peer` serves resources with go-control-plane, `client` opens many ADS streams to any server.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: xds peer|client [FLAGS]"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	var err error
	switch os.Args[1] {
	case "peer":
		listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
		resources := flags.String("resources", "", "file of length-delimited Any, as `client -dump` writes it")
		_ = flags.Parse(os.Args[2:])
		err = runPeer(*listen, *resources)
	case "client":
		options := clientFlags(flags)
		_ = flags.Parse(os.Args[2:])
		err = runClient(options)
	default:
		err = fmt.Errorf("unknown role %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "xds:", err)
	os.Exit(1)
}
