package turnout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// call is one request that the registry saw, and when.
type call struct {
	method, path, query, token string
	body                       []byte
	at                         time.Time
}

// registry is a registry that lives in the test's process, so that its clock is the test's. A schema
// is stored once it was sent; leases are lease-1, lease-2 and so on.
type registry struct {
	calls  []call
	stored bool
	leases int
	// override answers a call in place of the registry, unless it returns 0.
	override func(call) (status int, body string)
	// hangs lets every call wait until the caller loses patience.
	hangs bool
}

func (r *registry) RoundTrip(request *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(request.Body)
	seen := call{request.Method, request.URL.Path, request.URL.RawQuery, request.Header.Get("Authorization"), body, time.Now()}
	r.calls = append(r.calls, seen)
	if r.hangs {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	status, text := 0, ""
	if r.override != nil {
		status, text = r.override(seen)
	}
	if status == 0 {
		status, text = r.serve(seen)
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(text)), Request: request}, nil
}

func (r *registry) serve(seen call) (int, string) {
	switch {
	case seen.method == "HEAD" && !r.stored:
		return 404, ""
	case strings.HasPrefix(seen.path, "/registry/v1/schemas/"):
		r.stored = true
		return 200, `{"created":true}`
	case seen.method == "PUT" && seen.state() == "up":
		r.leases++
		return 200, fmt.Sprintf(`{"lease":"lease-%d","ttl":15,"heartbeat":5,"revision":7,"findings":[]}`, r.leases)
	default:
		return 200, `{}`
	}
}

// state is the state in the body of a registration.
func (c call) state() string {
	var instance struct{ State string }
	_ = json.Unmarshal(c.body, &instance)
	return instance.State
}

// String is the call as the tests compare it: short, and without what differs from run to run.
func (c call) String() string {
	switch {
	case strings.HasPrefix(c.path, "/registry/v1/schemas/"):
		return c.method + " schema"
	case strings.HasPrefix(c.path, "/registry/v1/leases/"):
		return "keepalive " + strings.Split(c.path, "/")[4]
	case c.method == "DELETE":
		return "DELETE instance " + c.query
	default:
		return strings.TrimSpace(c.method + " instance " + c.state())
	}
}

func (r *registry) story() []string {
	told := make([]string, len(r.calls))
	for n, seen := range r.calls {
		told[n] = seen.String()
	}
	return told
}

// during runs an instance against a registry for some time of a clock that does not take any, ends
// it, and says how long its goodbye took.
func during(t *testing.T, r *registry, life time.Duration, end func()) (goodbye time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan time.Time)
		go func() {
			instance(r).Run(ctx)
			over <- time.Now()
		}()
		time.Sleep(life)
		synctest.Wait()
		end()
		asked := time.Now()
		stop()
		goodbye = (<-over).Sub(asked)
	})
	return goodbye
}

func instance(r *registry) Instance {
	return Instance{
		Registry: "http://registry.test/", Token: "s3cret", Service: "stock", Version: "1.5.0",
		Address: "127.0.0.1:50051", Descriptors: []byte("descriptors"),
		TTL: 15 * time.Second, Drain: 2 * time.Second, Client: http.Client{Transport: r},
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestASchemaIsUploadedBeforeTheInstanceAndDrainingIsSaidBeforeItGoes(t *testing.T) {
	r := &registry{}
	goodbye := during(t, r, 6*time.Second, func() {})
	expect(t, r.story(), "HEAD schema", "PUT schema", "PUT instance up", "keepalive lease-1", "PUT instance draining", "DELETE instance lease=lease-1")
	if goodbye != 2*time.Second {
		t.Errorf("goodbye took %s, the time to drain is 2s", goodbye)
	}
	if waited := r.calls[5].at.Sub(r.calls[4].at); waited != 2*time.Second {
		t.Errorf("%s between draining and removal, gateways need 2s to see it", waited)
	}
}

func TestAStoredSchemaIsNotSentAgain(t *testing.T) {
	r := &registry{stored: true}
	during(t, r, time.Second, func() {})
	expect(t, r.story()[:2], "HEAD schema", "PUT instance up")
}

func TestARegistrationSaysAllThatTheContractAsksFor(t *testing.T) {
	r := &registry{}
	during(t, r, time.Second, func() {})
	const digest = "sha256:12b2fdc0a0ffd6ce4b7d74d080cd8dcb1c60b6e8f365fb46ac511c46cc31f1c1"
	if got := r.calls[1].path; got != "/registry/v1/schemas/"+digest {
		t.Errorf("schema stored at %s", got)
	}
	put := r.calls[2]
	var body struct {
		Version     string
		Incarnation int64
		Endpoints   []struct{ URL string }
		Schema      struct{ Digest string }
		State       string
	}
	if err := json.Unmarshal(put.body, &body); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("/registry/v1/instances/stock/127.0.0.1-50051-%d", body.Incarnation); put.path != want || put.query != "ttl=15" {
		t.Errorf("instance at %s?%s, want %s?ttl=15", put.path, put.query, want)
	}
	if body.Version != "1.5.0" || body.Endpoints[0].URL != "grpc://127.0.0.1:50051" || body.Schema.Digest != digest || body.Incarnation == 0 {
		t.Errorf("registered as %s", put.body)
	}
	for _, seen := range r.calls {
		if seen.token != "Bearer s3cret" {
			t.Errorf("%s came with the token %q", seen, seen.token)
		}
	}
}

func TestHeartbeatsComeAtTheAdvisedPaceGiveOrTakeTenPercent(t *testing.T) {
	r := &registry{}
	during(t, r, time.Hour, func() {})
	var gaps []time.Duration
	for n := 3; n < len(r.calls) && strings.HasPrefix(r.calls[n].String(), "keepalive"); n++ {
		gaps = append(gaps, r.calls[n].at.Sub(r.calls[n-1].at))
	}
	if len(gaps) < 600 || slices.Min(gaps) < 4500*time.Millisecond || slices.Max(gaps) > 5500*time.Millisecond {
		t.Errorf("%d heartbeats in an hour, %s to %s apart", len(gaps), slices.Min(gaps), slices.Max(gaps))
	}
	if slices.Max(gaps)-slices.Min(gaps) < 500*time.Millisecond {
		t.Error("heartbeats have no jitter: a fleet that starts together would beat together")
	}
}

func TestAForgottenLeaseIsRegisteredAgainWithinASecond(t *testing.T) {
	r := &registry{override: func(seen call) (int, string) {
		if seen.String() == "keepalive lease-1" {
			return 404, `{"error":{"code":"NOT_FOUND","message":"there is no such lease","help":"Register again."}}`
		}
		return 0, ""
	}}
	during(t, r, 13*time.Second, func() {})
	expect(t, r.story()[3:7], "keepalive lease-1", "HEAD schema", "PUT instance up", "keepalive lease-2")
	if pause := r.calls[4].at.Sub(r.calls[3].at); pause > time.Second {
		t.Errorf("registered again after %s", pause)
	}
	expect(t, r.story()[len(r.calls)-1:], "DELETE instance lease=lease-2")
}

func TestARefusalIsLoggedWithItsHelpAndTriedAgainForEver(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	r := &registry{override: func(seen call) (int, string) {
		if seen.String() == "PUT instance up" {
			return 409, `{"error":{"code":"VERSION_BOUND","message":"stock 1.5.0 has other descriptors","help":"Register a new version."}}`
		}
		return 0, ""
	}}
	goodbye := during(t, r, time.Hour, func() {})
	var tries []time.Time
	for _, seen := range r.calls {
		if seen.String() == "PUT instance up" {
			tries = append(tries, seen.at)
		}
	}
	for n := range tries[1:] {
		if pause := tries[n+1].Sub(tries[n]); pause > 10*time.Second {
			t.Errorf("a pause of %s", pause)
		}
	}
	if len(tries) < 360 || len(tries) > 1500 {
		t.Errorf("%d tries in an hour", len(tries))
	}
	if want := "409: stock 1.5.0 has other descriptors. Register a new version\""; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q:\n%.500s", want, log.String())
	}
	if goodbye != 0 || r.story()[len(r.calls)-1] == "DELETE instance" {
		t.Errorf("an instance that never was registered said goodbye for %s", goodbye)
	}
}

func TestARegistryThatHangsDelaysTheGoodbyeByTwoSecondsAtMost(t *testing.T) {
	r := &registry{}
	if goodbye := during(t, r, 6*time.Second, func() { r.hangs = true }); goodbye > 4*time.Second {
		t.Errorf("goodbye took %s, 2s of it to drain", goodbye)
	}
}
