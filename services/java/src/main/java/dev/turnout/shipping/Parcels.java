package dev.turnout.shipping;

import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * What one piece of each product weighs in its parcel, made from a seed. Products are those of the
 * demonstration's catalog, P00001 to P10000. One in ten is no parcel: it is too heavy, or a download.
 */
record Parcels(long seed) {
  private static final Pattern PRODUCT = Pattern.compile("P(\\d{5})");
  private static final int PRODUCTS = 10_000;

  /** The weight in grams; nothing when the product is unknown or cannot be sent. */
  OptionalInt weightOf(String product) {
    var named = PRODUCT.matcher(product);
    if (!named.matches()) {
      return OptionalInt.empty();
    }
    int number = Integer.parseInt(named.group(1));
    var random = new SplittableRandom(seed * PRODUCTS + number);
    boolean parcel = number >= 1 && number <= PRODUCTS && random.nextInt(10) != 0;
    return parcel ? OptionalInt.of(100 + random.nextInt(12_000)) : OptionalInt.empty();
  }
}
