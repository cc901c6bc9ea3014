// A distant network before one address: Shopify's toxiproxy with a fixed latency each way.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

func main() {
	listen := flag.String("listen", "", "host:port to listen on")
	upstream := flag.String("upstream", "", "host:port to pass everything on to")
	oneWay := flag.Int("one-way-ms", 0, "milliseconds that each direction takes")
	flag.Parse()

	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "network", *listen, *upstream)
	if err := proxy.Start(); err != nil {
		log.Fatal(err)
	}
	for _, direction := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type": "latency", "stream": %q, "attributes": {"latency": %d}}`, direction, *oneWay)
		if _, err := proxy.Toxics.AddToxicJson(bytes.NewBufferString(toxic)); err != nil {
			log.Fatal(err)
		}
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	proxy.Stop()
}
