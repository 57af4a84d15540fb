package dev.turnout.shipping;

import dev.turnout.shipping.v1.BatchGetQuotesRequest;
import dev.turnout.shipping.v1.BatchGetQuotesResponse;
import dev.turnout.shipping.v1.GetQuoteRequest;
import dev.turnout.shipping.v1.GetQuoteResponse;
import dev.turnout.shipping.v1.ShippingServiceGrpc.ShippingServiceImplBase;
import dev.turnout.shipping.v1.ShippingSpeed;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.LinkedHashSet;
import java.util.OptionalInt;

/** Answers shop.shipping.v1.ShippingService. A mistake in a question names the field it is in. */
final class ShippingService extends ShippingServiceImplBase {
  /** shipping.proto promises this number to callers. */
  private static final int KEYS_MAX = 200;

  private final Parcels parcels;

  ShippingService(Parcels parcels) {
    this.parcels = parcels;
  }

  @Override
  public void getQuote(GetQuoteRequest ask, StreamObserver<GetQuoteResponse> reply) {
    GetQuoteResponse answer;
    try {
      if (ask.getWeightGrams() < 1 || ask.getWeightGrams() > Tariff.WEIGHT_MAX_GRAMS) {
        throw mistake("weight_grams is 1 to " + Tariff.WEIGHT_MAX_GRAMS);
      }
      var quote = Tariff.quote(ask.getWeightGrams(), country(ask.getCountry()), speed(ask.getSpeed()));
      answer = GetQuoteResponse.newBuilder().setQuote(quote).build();
    } catch (StatusRuntimeException mistake) {
      reply.onError(mistake);
      return;
    }
    reply.onNext(answer);
    reply.onCompleted();
  }

  @Override
  public void batchGetQuotes(BatchGetQuotesRequest ask, StreamObserver<BatchGetQuotesResponse> reply) {
    BatchGetQuotesResponse answer;
    try {
      answer = quotes(ask);
    } catch (StatusRuntimeException mistake) {
      reply.onError(mistake);
      return;
    }
    reply.onNext(answer);
    reply.onCompleted();
  }

  private BatchGetQuotesResponse quotes(BatchGetQuotesRequest ask) {
    if (ask.getProductIdsCount() > KEYS_MAX) {
      throw mistake("product_ids has " + ask.getProductIdsCount() + " entries, the most is " + KEYS_MAX);
    }
    String country = country(ask.getCountry());
    var answer = BatchGetQuotesResponse.newBuilder();
    for (String product : new LinkedHashSet<>(ask.getProductIdsList())) {
      OptionalInt weight = parcels.weightOf(product);
      if (weight.isPresent()) {
        for (ShippingSpeed speed : Tariff.SPEEDS) {
          answer.addQuotes(Tariff.quote(weight.getAsInt(), country, speed).setProductId(product));
        }
      }
    }
    return answer.build();
  }

  private static String country(String asked) {
    if (asked.isEmpty()) {
      return "DE";
    }
    if (!Tariff.knows(asked)) {
      throw mistake("country is two letters by ISO 3166, such as FR");
    }
    return asked;
  }

  private static ShippingSpeed speed(ShippingSpeed asked) {
    return switch (asked) {
      case SHIPPING_SPEED_UNSPECIFIED -> ShippingSpeed.SHIPPING_SPEED_STANDARD;
      case UNRECOGNIZED -> throw mistake("speed is none that this version knows");
      default -> asked;
    };
  }

  private static StatusRuntimeException mistake(String what) {
    return Status.INVALID_ARGUMENT.withDescription(what).asRuntimeException();
  }
}
