package dev.turnout.shipping;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import dev.turnout.registration.FakeRegistry;
import dev.turnout.shipping.v1.BatchGetQuotesRequest;
import dev.turnout.shipping.v1.GetQuoteRequest;
import dev.turnout.shipping.v1.ShippingQuote;
import dev.turnout.shipping.v1.ShippingServiceGrpc;
import dev.turnout.shipping.v1.ShippingServiceGrpc.ShippingServiceBlockingStub;
import dev.turnout.shipping.v1.ShippingSpeed;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ShippingServerTest {
  private final CompletableFuture<String> address = new CompletableFuture<>();
  private final List<Status.Code> whileLeaving = new CopyOnWriteArrayList<>();
  private FakeRegistry registry;
  private ShippingServer server;
  private ManagedChannel channel;
  private ShippingServiceBlockingStub stub;

  @BeforeEach
  void start() throws Exception {
    registry = new FakeRegistry();
    registry.override = call -> {
      if (call.toString().equals("PUT instance up")) {
        var url = call.instance().get("endpoints").getAsJsonArray().get(0).getAsJsonObject().get("url").getAsString();
        address.complete(url.substring("grpc://".length()));
      }
      if (call.method().equals("DELETE")) {
        whileLeaving.add(codeOf(GetQuoteRequest.newBuilder().setWeightGrams(500)));
      }
      return null;
    };
    server = ShippingServer.start(new ShippingServer.Options(new InetSocketAddress("127.0.0.1", 0), "",
        registry.url(), "", "1.5.0", 1, Duration.ZERO));
    channel = Grpc.newChannelBuilder(address.get(), InsecureChannelCredentials.create()).build();
    stub = ShippingServiceGrpc.newBlockingStub(channel);
  }

  @AfterEach
  void stop() throws Exception {
    server.stop();
    channel.shutdownNow();
    registry.close();
  }

  private Status.Code codeOf(GetQuoteRequest.Builder ask) {
    try {
      ShippingServiceGrpc.newBlockingStub(channel).getQuote(ask.build());
      return Status.Code.OK;
    } catch (StatusRuntimeException refused) {
      return refused.getStatus().getCode();
    }
  }

  @Test
  void itAnswersFromItsRegistrationUntilItHasLeftTheRegistry() throws Exception {
    var ask = GetQuoteRequest.newBuilder().setWeightGrams(500);
    assertEquals(Status.Code.OK, codeOf(ask));
    server.stop();
    assertEquals(List.of(Status.Code.OK), whileLeaving);
    assertEquals(Status.Code.UNAVAILABLE, codeOf(ask));
  }

  @Test
  void aQuoteIsStandardToGermanyUnlessAskedOtherwise() {
    var plain = stub.getQuote(GetQuoteRequest.newBuilder().setWeightGrams(500).build()).getQuote();
    assertEquals(Tariff.quote(500, "DE", ShippingSpeed.SHIPPING_SPEED_STANDARD).build(), plain);
    var other = stub.getQuote(GetQuoteRequest.newBuilder().setWeightGrams(500).setCountry("FR")
        .setSpeed(ShippingSpeed.SHIPPING_SPEED_EXPRESS).build()).getQuote();
    assertEquals(Tariff.quote(500, "FR", ShippingSpeed.SHIPPING_SPEED_EXPRESS).build(), other);
  }

  @Test
  void aMistakeInAQuestionIsAnInvalidArgument() {
    assertEquals(Status.Code.INVALID_ARGUMENT, codeOf(GetQuoteRequest.newBuilder()));
    assertEquals(Status.Code.INVALID_ARGUMENT, codeOf(GetQuoteRequest.newBuilder().setWeightGrams(31_501)));
    assertEquals(Status.Code.OK, codeOf(GetQuoteRequest.newBuilder().setWeightGrams(31_500)));
    assertEquals(Status.Code.INVALID_ARGUMENT, codeOf(GetQuoteRequest.newBuilder().setWeightGrams(1).setCountry("fr")));
    assertEquals(Status.Code.INVALID_ARGUMENT, codeOf(GetQuoteRequest.newBuilder().setWeightGrams(1).setSpeedValue(9)));
    var many = BatchGetQuotesRequest.newBuilder().addAllProductIds(Collections.nCopies(201, "P00001")).build();
    var refused = assertThrows(StatusRuntimeException.class, () -> stub.batchGetQuotes(many));
    assertEquals("product_ids has 201 entries, the most is 200", refused.getStatus().getDescription());
  }

  @Test
  void aBatchNamesTheProductOfEveryQuoteAndLeavesUnknownOnesOut() {
    List<String> asked = new ArrayList<>();
    for (int n = 1; n <= 50; n++) {
      asked.add("P%05d".formatted(n));
    }
    Set<String> sendable =
        asked.stream().filter(product -> new Parcels(1).weightOf(product).isPresent()).collect(Collectors.toSet());
    asked.add("nothing");
    asked.add("P00001");
    var answer = stub.batchGetQuotes(BatchGetQuotesRequest.newBuilder().addAllProductIds(asked).build());
    Map<String, List<ShippingQuote>> byProduct =
        answer.getQuotesList().stream().collect(Collectors.groupingBy(ShippingQuote::getProductId));
    assertEquals(sendable, byProduct.keySet());
    byProduct.forEach((product, quotes) -> assertEquals(Tariff.SPEEDS.length, quotes.size(), product));
  }

  @Test
  void healthAndReflectionAreServed() throws Exception {
    var well = HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance());
    assertEquals(ServingStatus.SERVING, well.getStatus());
    var found = new CompletableFuture<ServerReflectionResponse>();
    var questions = ServerReflectionGrpc.newStub(channel).serverReflectionInfo(new StreamObserver<>() {
      @Override
      public void onNext(ServerReflectionResponse answer) {
        found.complete(answer);
      }

      @Override
      public void onError(Throwable problem) {
        found.completeExceptionally(problem);
      }

      @Override
      public void onCompleted() {}
    });
    questions.onNext(ServerReflectionRequest.newBuilder()
        .setFileContainingSymbol("shop.shipping.v1.ShippingService").build());
    assertTrue(found.get().getFileDescriptorResponse().getFileDescriptorProtoCount() > 0);
    questions.onCompleted();
  }

  @Test
  void theDescriptorSetStandsAloneAndHasComments() throws Exception {
    var set = FileDescriptorSet.parseFrom(ShippingServer.descriptors());
    Set<String> before = new HashSet<>();
    for (FileDescriptorProto file : set.getFileList()) {
      assertTrue(before.containsAll(file.getDependencyList()), file.getName() + " imports what is not there");
      before.add(file.getName());
    }
    var shipping = set.getFileList().stream()
        .filter(file -> file.getName().equals("shop/shipping/v1/shipping.proto")).findFirst().orElseThrow();
    assertTrue(shipping.getSourceCodeInfo().getLocationList().stream().anyMatch(
        place -> place.getLeadingComments().equals(" A quote for one parcel.\n")), "comments are missing");
  }

  @Test
  void theCommandLineIsReadAndItsMistakesAreNamed() {
    var options = Main.parse(new String[] {"--listen", "[::1]:7000", "--version", "2.0.0", "--drain", "5"},
        Map.of("TURNOUT_REGISTRY_URL", "http://gateway:4001", "TURNOUT_REGISTRY_TOKEN", "t"));
    assertEquals(URI.create("http://gateway:4001"), options.registry());
    assertEquals("t", options.token());
    assertEquals("2.0.0", options.version());
    assertEquals(7000, options.listen().getPort());
    assertEquals(Duration.ofSeconds(5), options.drain());
    for (String[] wrong : new String[][] {{"--lisen", "x"}, {"--version"}, {"--listen", "7000"}, {"--seed", "x"}}) {
      assertThrows(IllegalArgumentException.class, () -> Main.parse(wrong, Map.of()), wrong[0]);
    }
  }

  @Test
  void anAddressForAllInterfacesIsNotToldToOthers() throws Exception {
    assertEquals("127.0.0.1:7000", ShippingServer.reachable(new InetSocketAddress("127.0.0.1", 0), 7000));
    String told = ShippingServer.reachable(new InetSocketAddress("0.0.0.0", 0), 7000);
    assertTrue(told.endsWith(":7000") && !told.startsWith("0.0.0.0"), told);
  }
}
