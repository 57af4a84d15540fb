package dev.turnout.shipping;

import dev.turnout.registration.Registration;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The running service: its listener and its registration. It registers only once it listens, and stops
 * listening only once it has left the registry, so no gateway ever calls a closed port.
 */
final class ShippingServer {
  static final String SERVICE = "shipping";

  /** How long the calls in progress may take once the service has left the registry. */
  private static final long FINISH_MAX_SECONDS = 30;

  /**
   * What the command line and the environment say.
   *
   * @param advertise host:port at which gateways reach the service; empty: where it listens
   */
  record Options(InetSocketAddress listen, String advertise, URI registry, String token, String version,
      long seed, Duration drain) {}

  private final HealthStatusManager health = new HealthStatusManager();
  private final Server server;
  private final Registration registration;

  private ShippingServer(Options options) throws IOException {
    server = NettyServerBuilder.forAddress(options.listen())
        .addService(new ShippingService(new Parcels(options.seed())))
        .addService(health.getHealthService())
        .addService(ProtoReflectionServiceV1.newInstance())
        .build()
        .start();
    String address = options.advertise().isEmpty() ? reachable(options.listen(), server.getPort()) : options.advertise();
    registration = Registration.start(new Registration.Instance(options.registry(), options.token(), SERVICE,
        options.version(), address, descriptors(), Duration.ofSeconds(15), options.drain()));
  }

  static ShippingServer start(Options options) throws IOException {
    return new ShippingServer(options);
  }

  void await() throws InterruptedException {
    server.awaitTermination();
  }

  /** Leaves the registry, then finishes what it has and ends. Doing so again does nothing. */
  void stop() throws InterruptedException {
    if (server.isShutdown()) {
      return;
    }
    registration.stop();
    health.enterTerminalState();
    if (!server.shutdown().awaitTermination(FINISH_MAX_SECONDS, TimeUnit.SECONDS)) {
      server.shutdownNow();
    }
  }

  /** The encoded FileDescriptorSet that the build wrote beside the classes. */
  static byte[] descriptors() throws IOException {
    try (InputStream file = ShippingServer.class.getResourceAsStream("/shipping.binpb")) {
      return file.readAllBytes();
    }
  }

  /**
   * The address to tell others. One that stands for all interfaces means nothing to them: then it is the
   * host's name.
   */
  static String reachable(InetSocketAddress listen, int port) throws UnknownHostException {
    InetAddress bound = listen.getAddress();
    String host = bound.isAnyLocalAddress() ? InetAddress.getLocalHost().getHostName() : bound.getHostAddress();
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
