// An idiomatic echo server in Go: a goroutine for each connection, with blocking calls.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, "go-echo:", err)
	os.Exit(1)
}

func serve(c net.Conn, size int) {
	defer c.Close()
	buffer := make([]byte, size)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err = c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func serveStreams(at string, size int) {
	listener, err := net.Listen("tcp", at)
	if err != nil {
		fail(err)
	}
	fmt.Println("READY")
	for {
		c, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go serve(c, size)
	}
}

func serveDatagrams(at string, size int) {
	address, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		fail(err)
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		fail(err)
	}
	fmt.Println("READY")
	buffer := make([]byte, size)
	for {
		n, peer, err := socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			continue
		}
		socket.WriteToUDPAddrPort(buffer[:n], peer)
	}
}

func main() {
	port := flag.Int("port", 7007, "port on 127.0.0.1")
	proto := flag.String("proto", "tcp", "tcp or udp")
	size := flag.Int("buf", 4096, "bytes read at a time")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	at := fmt.Sprintf("127.0.0.1:%d", *port)
	if *proto == "udp" {
		serveDatagrams(at, *size)
	}
	serveStreams(at, *size)
}
