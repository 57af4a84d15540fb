package dev.turnout.shipping;

import dev.turnout.shipping.v1.ShippingQuote;
import dev.turnout.shipping.v1.ShippingSpeed;
import java.util.Locale;
import java.util.Set;

/**
 * What a parcel costs: a price for the zone it goes to and one for every kilogram begun, times a factor
 * for its speed. Pure: the same question has the same answer, always.
 */
final class Tariff {
  static final int WEIGHT_MAX_GRAMS = 31_500;

  /** The speeds there are, the cheapest first. */
  static final ShippingSpeed[] SPEEDS = {
    ShippingSpeed.SHIPPING_SPEED_ECONOMY,
    ShippingSpeed.SHIPPING_SPEED_STANDARD,
    ShippingSpeed.SHIPPING_SPEED_EXPRESS,
  };

  private static final Set<String> NEAR = Set.of(
      "AT", "BE", "CH", "CZ", "DK", "ES", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE");

  private static final Set<String> COUNTRIES = Locale.getISOCountries(Locale.IsoCountryCode.PART1_ALPHA2);

  /** How far a parcel goes. */
  private enum Zone {
    HOME(399, 60, 1),
    NEAR(899, 180, 2),
    FAR(1999, 650, 6);

    final int baseCents;
    final int perKilogramCents;
    final int days;

    Zone(int baseCents, int perKilogramCents, int days) {
      this.baseCents = baseCents;
      this.perKilogramCents = perKilogramCents;
      this.days = days;
    }

    static Zone of(String country) {
      return country.equals("DE") ? HOME : Tariff.NEAR.contains(country) ? NEAR : FAR;
    }
  }

  private Tariff() {}

  static boolean knows(String country) {
    return COUNTRIES.contains(country);
  }

  /** The weight is 1 to WEIGHT_MAX_GRAMS, the country one that it knows, the speed one of SPEEDS. */
  static ShippingQuote.Builder quote(int weightGrams, String country, ShippingSpeed speed) {
    Zone zone = Zone.of(country);
    int kilograms = (weightGrams + 999) / 1000;
    int standard = zone.baseCents + kilograms * zone.perKilogramCents;
    ShippingQuote.Builder quote = ShippingQuote.newBuilder().setSpeed(speed);
    return switch (speed) {
      case SHIPPING_SPEED_ECONOMY ->
          quote.setPriceCents(standard * 4 / 5).setDaysMin(zone.days + 2).setDaysMax(zone.days * 2 + 4);
      case SHIPPING_SPEED_STANDARD ->
          quote.setPriceCents(standard).setDaysMin(zone.days).setDaysMax(zone.days * 2);
      case SHIPPING_SPEED_EXPRESS ->
          quote.setPriceCents(standard * 5 / 2).setDaysMin(1).setDaysMax(Math.max(1, zone.days / 2));
      case SHIPPING_SPEED_UNSPECIFIED, UNRECOGNIZED ->
          throw new IllegalArgumentException("there is no tariff for " + speed);
    };
  }
}
