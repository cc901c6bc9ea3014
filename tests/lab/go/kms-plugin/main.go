// A KMS plugin for one key of a Key Vault: what Azure/kubernetes-kms does, without Azure's login libraries.
package main

import (
	"errors"
	"flag"
	"io/fs"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"k8s.io/kms/apis/v1beta1"
	"k8s.io/kms/apis/v2"
)

func main() {
	accessFile := flag.String("access", "", "JSON file: tokenUrl, clientId, clientSecret, caFile")
	keyURL := flag.String("key-id", "", "https://<vault>/keys/<key>/<version>")
	v1Socket := flag.String("v1-socket", "", "Unix socket to serve KMS v1 (v1beta1) on")
	v2Socket := flag.String("v2-socket", "", "Unix socket to serve KMS v2 on")
	statusVersion := flag.String("v2-status-version", "v2", "what KMS v2's Status answers: v2beta1 up to Kubernetes 1.28")
	flag.Parse()

	vault, err := openVault(*accessFile, *keyURL)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	v1beta1.RegisterKeyManagementServiceServer(server, &v1Service{vault: vault})
	v2.RegisterKeyManagementServiceServer(server, &v2Service{vault: vault, statusVersion: *statusVersion})

	ended := make(chan error, 2)
	listeners := 0
	for _, path := range []string{*v1Socket, *v2Socket} {
		if path == "" {
			continue
		}
		listener, err := listen(path)
		if err != nil {
			log.Fatal(err)
		}
		listeners++
		go func() { ended <- server.Serve(listener) }()
	}
	if listeners == 0 {
		log.Fatal("give -v1-socket, -v2-socket or both")
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		server.Stop()
	case err := <-ended:
		log.Fatal(err)
	}
}

// listen replaces the socket file that a killed predecessor left.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}
