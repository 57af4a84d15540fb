package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	stockv1 "turnout.dev/services/go/gen/shop/stock/v1"
)

// within is how long these tests wait for what takes milliseconds; it only matters when they fail.
const within = 20 * time.Second

// registry stands in for a gateway. It tells of each change of the instance, and calls `leaving`
// before it answers the last one.
type registry struct {
	registered chan string // the address
	leaving    func()
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var instance struct {
		State     string
		Endpoints []struct{ URL string }
	}
	_ = json.NewDecoder(request.Body).Decode(&instance)
	if instance.State == "up" {
		r.registered <- strings.TrimPrefix(instance.Endpoints[0].URL, "grpc://")
	}
	if request.Method == http.MethodDelete {
		r.leaving()
	}
	_, _ = w.Write([]byte(`{"lease":"1","ttl":15,"heartbeat":5}`))
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// start runs the service against a stand-in and waits for its registration.
func start(t *testing.T, fake *registry) (connection *grpc.ClientConn, end func() error) {
	t.Helper()
	fake.registered = make(chan string, 1)
	gateway := httptest.NewServer(fake)
	t.Cleanup(gateway.Close)
	alive, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(alive, options{listen: "127.0.0.1:0", registry: gateway.URL, version: "1.5.0", seed: 1})
	}()
	select {
	case address := <-fake.registered:
		connection = dial(t, address)
	case err := <-done:
		t.Fatalf("ended before it was registered: %v", err)
	case <-time.After(within):
		t.Fatal("not registered in time")
	}
	return connection, func() error {
		stop()
		return <-done
	}
}

func TestTheServiceAnswersFromItsRegistrationUntilItHasLeftTheRegistry(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	left := false
	fake := &registry{}
	connection, end := start(t, fake)
	get := func() error {
		answer, err := stockv1.NewStockServiceClient(connection).GetStock(ctx, &stockv1.GetStockRequest{ProductId: "P00042"})
		if err == nil && len(answer.GetLevels()) == 0 {
			t.Error("P00042 lies nowhere")
		}
		return err
	}
	if err := get(); err != nil {
		t.Errorf("a call right after the registration: %v", err)
	}
	fake.leaving = func() {
		left = true
		if err := get(); err != nil {
			t.Errorf("a call while the registry removes it: %v", err)
		}
	}
	if err := end(); err != nil || !left {
		t.Errorf("ended with %v, left the registry: %t", err, left)
	}
	if err := get(); err == nil {
		t.Error("it still answers after its end")
	}
}

func TestHealthAndReflectionAreServed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	connection, end := start(t, &registry{leaving: func() {}})

	well, err := grpc_health_v1.NewHealthClient(connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil || well.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", well, err)
	}
	stream, err := grpc_reflection_v1.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	symbol := &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "shop.stock.v1.StockService"}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: symbol}); err != nil {
		t.Fatal(err)
	}
	if answer, err := stream.Recv(); err != nil || answer.GetFileDescriptorResponse() == nil {
		t.Errorf("reflection: %v, %v", answer, err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestAnAddressForAllInterfacesIsNotToldToOthers(t *testing.T) {
	for _, example := range []struct{ bound, want string }{
		{"127.0.0.1:7000", "127.0.0.1:7000"},
		{"[::1]:7000", "[::1]:7000"},
	} {
		bound, err := net.ResolveTCPAddr("tcp", example.bound)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(bound); got != example.want {
			t.Errorf("%s is told as %s", example.bound, got)
		}
	}
	for _, all := range []string{"0.0.0.0:7000", "[::]:7000"} {
		bound, err := net.ResolveTCPAddr("tcp", all)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(bound); strings.Contains(got, bound.IP.String()+":") || !strings.HasSuffix(got, ":7000") {
			t.Errorf("%s is told as %s", all, got)
		}
	}
}
