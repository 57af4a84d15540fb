package dev.turnout.registration;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RegistrationTest {
  private static final String DIGEST = "sha256:12b2fdc0a0ffd6ce4b7d74d080cd8dcb1c60b6e8f365fb46ac511c46cc31f1c1";

  private FakeRegistry registry;
  private Clock clock;

  @BeforeEach
  void listen() throws Exception {
    registry = new FakeRegistry();
  }

  @AfterEach
  void stop() {
    registry.close();
  }

  /** A clock that jumps over pauses, and stands still after some of them until the registration is stopped. */
  private final class Clock implements Registration.Pause {
    final List<Duration> pauses = new CopyOnWriteArrayList<>();
    final CountDownLatch still = new CountDownLatch(1);
    final Thread test = Thread.currentThread();
    final int most;

    Clock(int most) {
      this.most = most;
    }

    @Override
    public void of(Duration length) throws InterruptedException {
      if (Thread.currentThread() == test) {
        registry.story.add("wait " + length);
      } else if (pauses.size() == most) {
        still.countDown();
        new CountDownLatch(1).await();
      } else {
        pauses.add(length);
      }
    }
  }

  /** Lets a registration live for some pauses, and says goodbye for it. */
  private List<String> live(int pauses) throws InterruptedException {
    return live(pauses, () -> {});
  }

  private List<String> live(int pauses, Runnable end) throws InterruptedException {
    clock = new Clock(pauses);
    var registration = Registration.start(new Registration.Instance(registry.url(), "s3cret", "shipping", "1.5.0",
        "127.0.0.1:50051", "descriptors".getBytes(UTF_8), Duration.ofSeconds(15), Duration.ofSeconds(2)), clock);
    clock.still.await();
    end.run();
    registration.stop();
    return registry.story;
  }

  @Test
  void aSchemaIsUploadedBeforeTheInstanceAndDrainingIsSaidBeforeItGoes() throws Exception {
    assertEquals(List.of("HEAD schema", "PUT schema", "PUT instance up", "keepalive lease-1",
        "PUT instance draining", "wait PT2S", "DELETE instance lease=lease-1"), live(1));
  }

  @Test
  void aStoredSchemaIsNotSentAgain() throws Exception {
    live(0);
    registry.story.clear();
    assertEquals(List.of("HEAD schema", "PUT instance up"), live(0).subList(0, 2));
  }

  @Test
  void aRegistrationSaysAllThatTheContractAsksFor() throws Exception {
    live(0);
    assertEquals("/registry/v1/schemas/" + DIGEST, registry.calls.get(1).path());
    assertEquals("descriptors", new String(registry.calls.get(1).body(), UTF_8));
    var put = registry.calls.get(2);
    var instance = put.instance();
    assertEquals("/registry/v1/instances/shipping/127.0.0.1-50051-" + instance.get("incarnation").getAsLong(), put.path());
    assertEquals("ttl=15", put.query());
    assertTrue(instance.get("incarnation").getAsLong() > 1_700_000_000_000_000_000L, "incarnation in nanoseconds");
    assertEquals("1.5.0", instance.get("version").getAsString());
    assertEquals("[{\"url\":\"grpc://127.0.0.1:50051\"}]", instance.get("endpoints").toString());
    assertEquals("{\"digest\":\"" + DIGEST + "\"}", instance.get("schema").toString());
    registry.calls.forEach(call -> assertEquals("Bearer s3cret", call.token(), call.toString()));
  }

  @Test
  void heartbeatsComeAtTheAdvisedPaceGiveOrTakeTenPercent() throws Exception {
    live(200);
    Duration least = Collections.min(clock.pauses);
    Duration most = Collections.max(clock.pauses);
    assertTrue(least.toMillis() >= 4500 && most.toMillis() <= 5500, least + " to " + most);
    assertTrue(most.minus(least).toMillis() >= 500, "a fleet that starts together would beat together");
  }

  @Test
  void aForgottenLeaseIsRegisteredAgainWithinASecond() throws Exception {
    registry.override = call -> call.toString().equals("keepalive lease-1")
        ? refuse(404, "there is no such lease", "Register again.") : null;
    var story = live(3);
    assertEquals(List.of("keepalive lease-1", "HEAD schema", "PUT instance up", "keepalive lease-2"), story.subList(3, 7));
    assertEquals("DELETE instance lease=lease-2", story.get(story.size() - 1));
    assertTrue(clock.pauses.get(1).toMillis() < 1000, "registered again after " + clock.pauses.get(1));
  }

  @Test
  void aRefusalIsLoggedWithItsHelpAndTriedAgainForEver() throws Exception {
    registry.override = call -> call.toString().equals("PUT instance up")
        ? refuse(409, "shipping 1.5.0 has other descriptors", "Register a new version.") : null;
    var log = new CopyOnWriteArrayList<String>();
    List<String> story;
    var listening = Listening.into(log);
    try {
      story = live(100);
    } finally {
      listening.close();
    }
    assertEquals(101, Collections.frequency(story, "PUT instance up"));
    assertEquals("PUT instance up", story.get(story.size() - 1), "what never was registered says no goodbye");
    assertTrue(Collections.max(clock.pauses).toSeconds() < 10, "longest pause " + Collections.max(clock.pauses));
    assertTrue(Collections.max(clock.pauses).toSeconds() > 1, "pauses do not grow");
    assertTrue(log.get(0).contains("409: shipping 1.5.0 has other descriptors. Register a new version"), log.get(0));
  }

  @Test
  void aDeadRegistryDelaysTheGoodbyeByTwoSecondsAtMost() throws Exception {
    var never = new CountDownLatch(1);
    long[] from = {0};
    live(0, () -> {
      from[0] = System.nanoTime();
      registry.override = call -> {
        try {
          never.await();
        } catch (InterruptedException closed) {
          Thread.currentThread().interrupt();
        }
        return null;
      };
    });
    var took = Duration.ofNanos(System.nanoTime() - from[0]);
    // The deadline of a heartbeat is 5 s; two calls with that would be 10 s.
    assertTrue(took.toMillis() < 4500, "goodbye took " + took);
  }

  private static FakeRegistry.Reply refuse(int status, String message, String help) {
    return new FakeRegistry.Reply(status,
        "{\"error\":{\"code\":\"X\",\"message\":\"%s\",\"help\":\"%s\"}}".formatted(message, help));
  }

  /** Collects what the registration logs, instead of the console. */
  private static final class Listening extends Handler {
    private final Logger logger = Logger.getLogger(Registration.class.getName());
    private final List<String> log;

    private Listening(List<String> log) {
      this.log = log;
    }

    static Listening into(List<String> log) {
      var listening = new Listening(log);
      listening.logger.addHandler(listening);
      listening.logger.setUseParentHandlers(false);
      return listening;
    }

    @Override
    public void publish(LogRecord entry) {
      log.add(new java.util.logging.SimpleFormatter().formatMessage(entry));
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      logger.removeHandler(this);
      logger.setUseParentHandlers(true);
    }
  }
}
