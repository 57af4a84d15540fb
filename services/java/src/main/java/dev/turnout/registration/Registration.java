package dev.turnout.registration;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.lang.System.Logger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Keeps one process of a gRPC service registered with a Turnout gateway, over HTTP. It needs Gson and
 * nothing else that the JDK does not have. Copy this file into your service.
 *
 * <p>Start it when the server is up, and stop it before the server. A registry that is away, or
 * refuses, is asked again within ten seconds, for ever; the log says why.
 */
public final class Registration {
  private static final Logger LOG = System.getLogger(Registration.class.getName());
  private static final Gson GSON = new Gson();
  private static final Duration RETRY_MAX = Duration.ofSeconds(10);

  /** How long each of the two calls of a goodbye may take: a dead registry must not hold a process up. */
  private static final Duration GOODBYE_MAX = Duration.ofSeconds(1);

  /**
   * What to register.
   *
   * @param registry the gateway's admin port, such as http://127.0.0.1:4001
   * @param token what the registry asks for, or an empty string
   * @param address host:port at which gateways reach this process
   * @param descriptors an encoded FileDescriptorSet with imports and source info
   * @param ttl the time without a heartbeat after which the process counts as gone
   * @param drain the time that gateways get to see that the process goes
   */
  public record Instance(URI registry, String token, String service, String version, String address,
      byte[] descriptors, Duration ttl, Duration drain) {}

  /** Waits. Tests have one that does not. */
  interface Pause {
    void of(Duration length) throws InterruptedException;
  }

  /** What the registry says: to a registration, or when it refuses. */
  private record Answer(String lease, int heartbeat, List<Note> findings, Note error) {}

  /** A sentence for the author of the service, and another that says what would help. */
  private record Note(String message, String help) {}

  // One attempt at a time on HTTP/1.1: the offer to change to HTTP/2 gains nothing here.
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(GOODBYE_MAX).build();
  private final Instance instance;
  private final Pause pause;
  private final long incarnation;
  private final String path;
  private final String schema;
  private final Thread heart = new Thread(this::run, "turnout-registration");
  private volatile String lease;

  private Registration(Instance instance, Pause pause) {
    this.instance = instance;
    this.pause = pause;
    Instant now = Instant.now();
    incarnation = now.getEpochSecond() * 1_000_000_000L + now.getNano();
    String host = instance.address().replaceAll("[\\[\\]]", "").replace(':', '-');
    path = "/registry/v1/instances/" + instance.service() + "/" + host + "-" + incarnation;
    schema = "sha256:" + HexFormat.of().formatHex(sha256(instance.descriptors()));
    heart.setDaemon(true);
  }

  /** Registers in the background, and goes on until it is stopped. */
  public static Registration start(Instance instance) {
    return start(instance, length -> Thread.sleep(length.toMillis()));
  }

  static Registration start(Instance instance, Pause pause) {
    Registration registration = new Registration(instance, pause);
    registration.heart.start();
    return registration;
  }

  /** Says goodbye: first that the process drains, then, once gateways have seen it, that it is gone. */
  public void stop() throws InterruptedException {
    heart.interrupt();
    heart.join();
    if (lease == null) {
      return;
    }
    try {
      put("draining", GOODBYE_MAX);
      pause.of(instance.drain());
    } catch (IOException problem) {
      LOG.log(Logger.Level.WARNING, "could not say that it drains: {0}", problem.getMessage());
    }
    try {
      call("DELETE", path + "?lease=" + lease, new byte[0], GOODBYE_MAX);
    } catch (IOException problem) {
      LOG.log(Logger.Level.WARNING, "not deregistered, the lease will end by itself: {0}", problem.getMessage());
    }
    lease = null;
  }

  private void run() {
    try {
      for (int failures = 0; ; failures++) {
        try {
          Duration beat = register();
          failures = 0;
          while (true) {
            pause.of(beat.multipliedBy(ThreadLocalRandom.current().nextInt(90, 111)).dividedBy(100));
            call("POST", "/registry/v1/leases/" + lease + "/keepalive", new byte[0], patience());
          }
        } catch (IOException | RuntimeException problem) {
          LOG.log(Logger.Level.WARNING, "registering again at {0}: {1}", instance.registry(), problem);
        }
        long most = Math.min(RETRY_MAX.toMillis(), 1000L << Math.min(failures, 4));
        pause.of(Duration.ofMillis(ThreadLocalRandom.current().nextLong(most)));
      }
    } catch (InterruptedException stopped) {
      // The end of the thread; stop() does the rest.
    }
  }

  /** Stores the descriptors if need be, registers, and answers how often to send a heartbeat. */
  private Duration register() throws IOException, InterruptedException {
    try {
      call("HEAD", "/registry/v1/schemas/" + schema, new byte[0], patience());
    } catch (IOException absent) {
      // Not stored, or the registry is away: then the upload says so better.
      call("PUT", "/registry/v1/schemas/" + schema, instance.descriptors(), patience());
    }
    Answer answer = put("up", patience());
    if (answer.lease() == null) {
      throw new IOException("the registry granted no lease");
    }
    lease = answer.lease();
    LOG.log(Logger.Level.INFO, "registered {0} {1} at {2}, lease {3}",
        instance.service(), instance.version(), instance.address(), lease);
    if (answer.findings() != null) {
      answer.findings().forEach(
          finding -> LOG.log(Logger.Level.WARNING, "{0} {1}", finding.message(), finding.help()));
    }
    return Duration.ofSeconds(Math.max(answer.heartbeat(), 1));
  }

  private Answer put(String state, Duration within) throws IOException, InterruptedException {
    Map<String, Object> body = Map.of(
        "version", instance.version(),
        "incarnation", incarnation,
        "endpoints", List.of(Map.of("url", "grpc://" + instance.address())),
        "schema", Map.of("digest", schema),
        "state", state);
    String at = path + "?ttl=" + instance.ttl().toSeconds();
    return call("PUT", at, GSON.toJson(body).getBytes(UTF_8), within);
  }

  /** Sends one request. A refusal becomes an exception that says what would help. */
  private Answer call(String method, String path, byte[] body, Duration within)
      throws IOException, InterruptedException {
    HttpRequest.Builder request = HttpRequest.newBuilder(instance.registry().resolve(path))
        .method(method, body.length == 0 ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(body))
        .timeout(within);
    if (!instance.token().isEmpty()) {
      request.header("Authorization", "Bearer " + instance.token());
    }
    HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
    Answer answer = parse(response.body());
    if (response.statusCode() < 300) {
      return answer;
    }
    Note why = answer.error() == null ? new Note("", "") : answer.error();
    String told = "%d: %s. %s".formatted(response.statusCode(), why.message(), why.help());
    throw new IOException(told.replaceFirst("[:. ]+$", ""));
  }

  /** Not every answer has a body; the status decides. */
  private static Answer parse(String body) {
    Answer nothing = new Answer(null, 0, List.of(), null);
    try {
      Answer answer = GSON.fromJson(body, Answer.class);
      return answer == null ? nothing : answer;
    } catch (JsonParseException noJson) {
      return nothing;
    }
  }

  private Duration patience() {
    return instance.ttl().dividedBy(3);
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError("every JDK has SHA-256", impossible);
    }
  }
}
