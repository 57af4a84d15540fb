package dev.turnout.shipping;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The service against a real gateway, as `cargo xtask test` runs it. */
@Timeout(90)
class GatewayTest {
  private static final String GATEWAY = System.getenv("TURNOUT_BIN");
  private static final long POLL_MS = 100;

  /** SIGTERM, as a JVM reports it. */
  private static final int TERMINATED = 128 + 15;

  @TempDir Path directory;

  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void stop() {
    processes.forEach(Process::destroyForcibly);
  }

  private Process spawn(String... command) throws IOException {
    Process process = new ProcessBuilder(command).directory(directory.toFile()).redirectError(Redirect.INHERIT).start();
    processes.add(process);
    return process;
  }

  /** Starts a gateway and answers the address of its admin port. */
  private String gateway() throws IOException {
    Process gateway = spawn(GATEWAY, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
        "--data", directory.resolve("data").toString());
    BufferedReader output = gateway.inputReader(UTF_8);
    String line = output.readLine();
    while (line != null && !line.startsWith("ready ")) {
      line = output.readLine();
    }
    assertNotNull(line, "the gateway ended before its ready line");
    return line.replaceFirst("^ready public=\\S+ admin=", "http://");
  }

  /** The versions of the shipping service that have instances, as the command line lists them. */
  private List<JsonObject> list(String admin) throws Exception {
    Process list = spawn(GATEWAY, "service", "list", "--admin", admin, "-o", "json");
    JsonArray entries = JsonParser.parseReader(list.inputReader(UTF_8)).getAsJsonArray();
    assertEquals(0, list.waitFor());
    return entries.asList().stream().map(entry -> entry.getAsJsonObject())
        .filter(entry -> entry.get("service").getAsString().equals(ShippingServer.SERVICE))
        .filter(entry -> !entry.get("instances").getAsJsonArray().isEmpty())
        .toList();
  }

  /** Asks until the list is as wanted; the test's own timeout bounds it. */
  private List<JsonObject> eventually(String admin, Predicate<List<JsonObject>> wanted) throws Exception {
    List<JsonObject> found = list(admin);
    while (!wanted.test(found)) {
      Thread.sleep(POLL_MS);
      found = list(admin);
    }
    return found;
  }

  @Test
  void aRealGatewayListsTheServiceUntilItIsTerminated() throws Exception {
    assumeTrue(GATEWAY != null, "TURNOUT_BIN is not set to a built gateway; `cargo xtask test` sets it");
    String admin = gateway();
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process service = spawn(java, "-cp", System.getProperty("java.class.path"), Main.class.getName(),
        "--registry", admin, "--version", "1.5.0", "--drain", "0");

    JsonObject entry = eventually(admin, found -> !found.isEmpty()).get(0);
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(ShippingServer.descriptors());
    assertEquals("1.5.0", entry.get("version").getAsString());
    assertEquals("sha256:" + HexFormat.of().formatHex(digest), entry.get("digest").getAsString());
    JsonObject instance = entry.get("instances").getAsJsonArray().get(0).getAsJsonObject();
    assertTrue(instance.get("id").getAsString().startsWith("127.0.0.1-"), instance.toString());
    assertTrue(Arrays.asList("up", "UP").contains(instance.get("state").getAsString()), instance.toString());
    assertEquals(1, instance.get("endpoints").getAsJsonArray().size(), instance.toString());

    service.destroy(); // SIGTERM
    assertEquals(TERMINATED, service.waitFor());
    eventually(admin, List::isEmpty);
  }
}
