package dev.turnout.shipping;

import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Runs the shipping service until SIGTERM or Ctrl-C, and then ends it in the order that loses no call. */
public final class Main {
  private static final String USAGE = """
      usage: shipping [--listen HOST:PORT] [--advertise HOST:PORT] [--registry URL] [--version SEMVER]
                      [--seed NUMBER] [--drain SECONDS]""";

  private Main() {}

  /** Starts the service. Exit codes: 2 for a mistake on the command line. */
  public static void main(String[] arguments) throws Exception {
    ShippingServer.Options options;
    try {
      options = parse(arguments, System.getenv());
    } catch (IllegalArgumentException mistake) {
      System.err.println(mistake.getMessage() + "\n" + USAGE);
      System.exit(2);
      return;
    }
    ShippingServer server = ShippingServer.start(options);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.stop();
      } catch (InterruptedException impatient) {
        Thread.currentThread().interrupt();
      }
    }));
    server.await();
  }

  static ShippingServer.Options parse(String[] arguments, Map<String, String> environment) {
    Map<String, String> flags = new HashMap<>(Map.of(
        "--listen", "127.0.0.1:0",
        "--advertise", "",
        "--registry", environment.getOrDefault("TURNOUT_REGISTRY_URL", "http://127.0.0.1:4001"),
        "--version", "1.0.0",
        "--seed", "1",
        "--drain", "2"));
    for (int n = 0; n < arguments.length; n += 2) {
      if (!flags.containsKey(arguments[n])) {
        throw new IllegalArgumentException("there is no flag " + arguments[n]);
      }
      if (n + 1 == arguments.length) {
        throw new IllegalArgumentException(arguments[n] + " needs a value");
      }
      flags.put(arguments[n], arguments[n + 1]);
    }
    // Read as the authority of a URL, which knows about [::1]:50051.
    URI listen = URI.create("grpc://" + flags.get("--listen"));
    if (listen.getHost() == null || listen.getPort() < 0) {
      throw new IllegalArgumentException("--listen is host:port, not " + flags.get("--listen"));
    }
    return new ShippingServer.Options(
        new InetSocketAddress(listen.getHost(), listen.getPort()),
        flags.get("--advertise"),
        URI.create(flags.get("--registry")),
        environment.getOrDefault("TURNOUT_REGISTRY_TOKEN", ""),
        flags.get("--version"),
        Long.parseLong(flags.get("--seed")),
        Duration.ofSeconds(Long.parseLong(flags.get("--drain"))));
  }
}
