// Package turnout registers a gRPC service with a Turnout gateway over HTTP. It needs the standard
// library only. Copy this file into your service.
package turnout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Instance is one process of one version of a service.
type Instance struct {
	Registry, Token  string        // such as http://127.0.0.1:4001, and a token if it asks for one
	Service, Version string        // such as "stock" and "1.5.0"
	Address          string        // host:port at which gateways reach this process
	Descriptors      []byte        // an encoded FileDescriptorSet with imports and source info
	TTL, Drain       time.Duration // life without a heartbeat; time between goodbye and removal
	Client           http.Client
}

// answer is what the registry says: to a registration, or when it refuses.
type answer struct {
	Lease     string
	Heartbeat int
	Findings  []struct{ Severity, Message, Help string }
	Error     struct{ Message, Help string }
}

// Run keeps the instance registered until ctx ends, then takes it out. Call it when the listener is up,
// and stop the server when it returns. A registry that is away or refuses is asked again within 10 s.
func (i Instance) Run(ctx context.Context) {
	started := time.Now().UnixNano()
	path := fmt.Sprintf("/registry/v1/instances/%s/%s-%d", i.Service, strings.NewReplacer(":", "-", "[", "", "]", "").Replace(i.Address), started)
	schema := fmt.Sprintf("sha256:%x", sha256.Sum256(i.Descriptors))
	put := func(ctx context.Context, state string) (answer, error) {
		body, _ := json.Marshal(map[string]any{
			"version": i.Version, "incarnation": started, "state": state,
			"endpoints": []any{map[string]any{"url": "grpc://" + i.Address}}, "schema": map[string]any{"digest": schema},
		})
		return i.call(ctx, "PUT", fmt.Sprintf("%s?ttl=%.0f", path, i.TTL.Seconds()), body)
	}
	var lease string
	for failures := 0; ctx.Err() == nil; failures++ {
		var granted answer
		_, err := i.call(ctx, "HEAD", "/registry/v1/schemas/"+schema, nil)
		if err != nil { // Not stored, or the registry is away: then the upload says so better.
			_, err = i.call(ctx, "PUT", "/registry/v1/schemas/"+schema, i.Descriptors)
		}
		if err == nil {
			granted, err = put(ctx, "up")
		}
		if err == nil {
			failures, lease = 0, granted.Lease
			slog.Info("registered", "service", i.Service, "version", i.Version, "address", i.Address, "lease", lease)
		}
		for _, found := range granted.Findings {
			slog.Warn("finding", "severity", found.Severity, "message", found.Message, "help", found.Help)
		}
		beat := time.Duration(max(granted.Heartbeat, 1)) * time.Second
		for err == nil && sleep(ctx, beat*9/10+rand.N(beat/5)) { // Give or take 10 %.
			_, err = i.call(ctx, "POST", "/registry/v1/leases/"+lease+"/keepalive", nil)
		}
		if ctx.Err() == nil {
			slog.Warn("registering again", "registry", i.Registry, "because", err)
			sleep(ctx, rand.N(min(time.Second<<min(failures, 4), 10*time.Second)))
		}
	}
	if lease == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.Drain+2*time.Second)
	defer cancel()
	if _, err := put(ctx, "draining"); err == nil {
		sleep(ctx, i.Drain) // Calls still come until every gateway has seen it.
	}
	if _, err := i.call(ctx, "DELETE", path+"?lease="+lease, nil); err != nil {
		slog.Warn("not deregistered, the lease will end by itself", "because", err)
	}
}

// call sends one request with a deadline. A refusal becomes an error that says what would help.
func (i Instance) call(ctx context.Context, method, path string, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, i.TTL/3)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(i.Registry, "/")+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if i.Token != "" {
		request.Header.Set("Authorization", "Bearer "+i.Token)
	}
	response, err := i.Client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	var said answer
	_ = json.NewDecoder(response.Body).Decode(&said) // Not every answer has a body; the status decides.
	if response.StatusCode >= 300 {
		return said, fmt.Errorf("%s", strings.TrimRight(response.Status+": "+said.Error.Message+". "+said.Error.Help, ":. "))
	}
	return said, nil
}

// sleep waits, and says whether ctx is still going on.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}
