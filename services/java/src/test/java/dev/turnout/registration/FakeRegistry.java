package dev.turnout.registration;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * A registry for tests. A schema is stored once it was sent; leases are lease-1, lease-2 and so on.
 * It tells what it saw, in order, in short words.
 */
public final class FakeRegistry implements AutoCloseable {
  static {
    // Without this the JDK's server takes 40 ms to answer, waiting for more to send.
    System.setProperty("sun.net.httpserver.nodelay", "true");
  }

  /** One request. */
  public record Call(String method, String path, String query, String token, byte[] body) {
    /** What a registration says; an empty object for any other call. */
    public JsonObject instance() {
      boolean registers = method.equals("PUT") && path.startsWith("/registry/v1/instances/");
      return registers ? JsonParser.parseString(new String(body, UTF_8)).getAsJsonObject() : new JsonObject();
    }

    /** The call as tests compare it: without what differs from run to run. */
    @Override
    public String toString() {
      if (path.startsWith("/registry/v1/schemas/")) {
        return method + " schema";
      }
      if (path.startsWith("/registry/v1/leases/")) {
        return "keepalive " + path.split("/")[4];
      }
      return method + " instance " + (method.equals("DELETE") ? query : instance().get("state").getAsString());
    }
  }

  /** An answer in place of the usual one. */
  public record Reply(int status, String body) {}

  /** What happened, in order; tests may add to it. */
  public final List<String> story = new CopyOnWriteArrayList<>();

  /** The calls, in order. */
  public final List<Call> calls = new CopyOnWriteArrayList<>();

  /** Answers a call in place of the registry, unless it gives null. */
  public volatile Function<Call, Reply> override = call -> null;

  private final HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
  private final ExecutorService workers = Executors.newCachedThreadPool();
  private final AtomicInteger leases = new AtomicInteger();
  private volatile boolean stored;

  /** Listens. */
  public FakeRegistry() throws IOException {
    server.createContext("/", this::handle);
    server.setExecutor(workers);
    server.start();
  }

  /** Where it listens. */
  public URI url() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  @Override
  public void close() {
    server.stop(0);
    workers.shutdownNow();
  }

  private void handle(HttpExchange exchange) throws IOException {
    URI asked = exchange.getRequestURI();
    Call call = new Call(exchange.getRequestMethod(), asked.getPath(), asked.getQuery(),
        exchange.getRequestHeaders().getFirst("Authorization"), exchange.getRequestBody().readAllBytes());
    calls.add(call);
    story.add(call.toString());
    Reply other = override.apply(call);
    Reply reply = other == null ? usual(call) : other;
    byte[] body = reply.body().getBytes(UTF_8);
    exchange.sendResponseHeaders(reply.status(), body.length == 0 ? -1 : body.length);
    if (body.length > 0) {
      exchange.getResponseBody().write(body);
    }
    exchange.close();
  }

  private Reply usual(Call call) {
    return switch (call.toString()) {
      case "HEAD schema" -> new Reply(stored ? 200 : 404, "");
      case "PUT schema" -> {
        stored = true;
        yield new Reply(201, "{\"created\":true}");
      }
      case "PUT instance up" ->
          new Reply(200, "{\"lease\":\"lease-%d\",\"ttl\":15,\"heartbeat\":5,\"revision\":7,\"findings\":[]}"
              .formatted(leases.incrementAndGet()));
      default -> new Reply(200, "{}");
    };
  }
}
