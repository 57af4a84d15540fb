// Command stock runs the stock service and registers it with a Turnout gateway.
//
// It ends on SIGTERM or Ctrl-C in the order that loses no call: it says that it drains, waits for the
// gateways to see it, leaves the registry, finishes the calls it has, and stops. A second signal ends
// it at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"turnout.dev/services/go/gen"
	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
	"turnout.dev/services/go/stock"
	"turnout.dev/services/go/turnout"
)

// finishMax is how long the calls in progress may take once the service has left the registry.
const finishMax = 30 * time.Second

// options is what the command line and the environment say.
type options struct {
	listen, advertise, registry, token, version string

	seed  uint64
	drain time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// From the first signal on, the next one has its usual effect.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, parse()); err != nil {
		slog.Error("stopped", "because", err)
		os.Exit(1)
	}
}

func parse() options {
	url := os.Getenv("TURNOUT_REGISTRY_URL")
	if url == "" {
		url = "http://127.0.0.1:4001"
	}
	o := options{token: os.Getenv("TURNOUT_REGISTRY_TOKEN")}
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 picks a free one")
	flag.StringVar(&o.advertise, "advertise", "", "`host:port` at which gateways reach the service (default: the address it listens on)")
	flag.StringVar(&o.registry, "registry", url, "`URL` of the gateway's admin port, also from TURNOUT_REGISTRY_URL")
	flag.StringVar(&o.version, "version", "1.0.0", "semantic `version` to register")
	flag.Uint64Var(&o.seed, "seed", 1, "`number` from which the data is made")
	flag.DurationVar(&o.drain, "drain", 2*time.Second, "`time` that gateways get to see that the service goes")
	flag.Parse()
	return o
}

// run serves until ctx ends and everything after that is done.
func run(ctx context.Context, o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	stockv1.RegisterStockServiceServer(server, &stock.Server{World: stock.NewWorld(o.seed)})
	state := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, state)
	reflection.Register(server)

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	address := o.advertise
	if address == "" {
		address = reachable(listener.Addr().(*net.TCPAddr))
	}
	slog.Info("serving", "service", "stock", "version", o.version, "address", address)

	turnout.Instance{
		Registry: o.registry, Token: o.token, Service: "stock", Version: o.version, Address: address,
		Descriptors: gen.Descriptors, TTL: 15 * time.Second, Drain: o.drain,
	}.Run(ctx)

	state.Shutdown()
	late := time.AfterFunc(finishMax, server.Stop)
	defer late.Stop()
	server.GracefulStop()
	return <-served
}

// reachable is the address to tell others. One that stands for all interfaces means nothing to them:
// then it is the host's name.
func reachable(bound *net.TCPAddr) string {
	if !bound.IP.IsUnspecified() {
		return bound.String()
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return net.JoinHostPort(host, fmt.Sprint(bound.Port))
}
