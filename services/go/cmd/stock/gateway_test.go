package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"turnout.dev/services/go/gen"
)

// asService, in the environment, makes the test's binary behave as the service: so there is a process
// to signal, and nothing to build first.
const asService = "STOCK_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// spawn starts a process that is killed when the test ends, should it still live then.
func spawn(t *testing.T, command *exec.Cmd) {
	t.Helper()
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// serve starts a gateway and answers the address of its admin port.
func serve(ctx context.Context, t *testing.T, binary string) string {
	t.Helper()
	gateway := exec.CommandContext(ctx, binary, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", t.TempDir())
	gateway.Dir = t.TempDir()
	output, err := gateway.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	spawn(t, gateway)
	ready := regexp.MustCompile(`^ready public=\S+ admin=(\S+)$`)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if found := ready.FindStringSubmatch(lines.Text()); found != nil {
			return found[1]
		}
	}
	t.Fatal("the gateway ended, or the time did, before its ready line")
	return ""
}

// entry is one version of a service in the gateway's list.
type entry struct {
	Service, Version, Digest string
	Instances                []struct {
		ID, State string
		Endpoints []json.RawMessage
	}
}

// list asks the command line which versions of the stock service there are.
func list(ctx context.Context, t *testing.T, binary, admin string) []entry {
	t.Helper()
	text, err := exec.CommandContext(ctx, binary, "service", "list", "--admin", "http://"+admin, "-o", "json").Output()
	if err != nil {
		t.Fatalf("service list: %v", err)
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatalf("service list answers %q: %v", text, err)
	}
	return slices.DeleteFunc(entries, func(e entry) bool { return e.Service != "stock" || len(e.Instances) == 0 })
}

// eventually asks until an answer satisfies, and fails when the time is over.
func eventually(ctx context.Context, t *testing.T, binary, admin string, satisfies func([]entry) bool) []entry {
	t.Helper()
	for {
		entries := list(ctx, t, binary, admin)
		if satisfies(entries) {
			return entries
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the gateway still lists %+v", entries)
		}
	}
}

func TestARealGatewayListsTheServiceUntilItIsTerminated(t *testing.T) {
	binary := os.Getenv("TURNOUT_BIN")
	if binary == "" {
		t.Skip("TURNOUT_BIN is not set to a built gateway; `cargo xtask test` sets it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin := serve(ctx, t, binary)

	service := exec.CommandContext(ctx, os.Args[0], "--registry", "http://"+admin, "--version", "1.5.0", "--drain", "200ms")
	service.Env = append(os.Environ(), asService+"=1")
	spawn(t, service)

	found := eventually(ctx, t, binary, admin, func(entries []entry) bool { return len(entries) > 0 })
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(gen.Descriptors))
	if len(found) != 1 || found[0].Version != "1.5.0" || found[0].Digest != digest {
		t.Errorf("listed as %+v, the digest is %s", found, digest)
	}
	instance := found[0].Instances[0]
	if !strings.EqualFold(instance.State, "up") || len(instance.Endpoints) != 1 || !strings.HasPrefix(instance.ID, "127.0.0.1-") {
		t.Errorf("its instance is %+v", instance)
	}

	if err := service.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := service.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	eventually(ctx, t, binary, admin, func(entries []entry) bool { return len(entries) == 0 })
}
