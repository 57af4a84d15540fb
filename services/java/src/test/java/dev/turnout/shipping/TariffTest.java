package dev.turnout.shipping;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.turnout.shipping.v1.ShippingSpeed;
import java.util.Locale;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TariffTest {
  @ParameterizedTest
  @CsvSource({
    "1,     DE, STANDARD, 459,   1, 2",
    "1000,  DE, STANDARD, 459,   1, 2",
    "1001,  DE, STANDARD, 519,   1, 2",
    "1000,  DE, ECONOMY,  367,   3, 6",
    "1000,  DE, EXPRESS,  1147,  1, 1",
    "2500,  FR, STANDARD, 1439,  2, 4",
    "31500, AQ, EXPRESS,  56997, 1, 3",
  })
  void priceAndDaysFollowZoneWeightAndSpeed(int grams, String country, String speed, int cents, int min, int max) {
    var quote = Tariff.quote(grams, country, ShippingSpeed.valueOf("SHIPPING_SPEED_" + speed));
    assertEquals(cents, quote.getPriceCents());
    assertEquals(min, quote.getDaysMin());
    assertEquals(max, quote.getDaysMax());
  }

  @Test
  void fasterIsNeverCheaperAndNeverSlower() {
    for (String country : Locale.getISOCountries()) {
      for (int grams = 1; grams <= Tariff.WEIGHT_MAX_GRAMS; grams += 1499) {
        for (int n = 1; n < Tariff.SPEEDS.length; n++) {
          var slow = Tariff.quote(grams, country, Tariff.SPEEDS[n - 1]);
          var fast = Tariff.quote(grams, country, Tariff.SPEEDS[n]);
          assertTrue(slow.getPriceCents() < fast.getPriceCents(), () -> fast + " against " + slow);
          assertTrue(slow.getDaysMax() >= fast.getDaysMax(), () -> fast + " against " + slow);
          assertTrue(fast.getDaysMin() <= fast.getDaysMax(), fast::toString);
        }
      }
    }
  }

  @Test
  void theSameSeedMakesTheSameParcelsAndOneProductInTenIsNone() {
    int none = 0;
    int different = 0;
    for (int n = 1; n <= 10_000; n++) {
      String product = "P%05d".formatted(n);
      OptionalInt weight = new Parcels(7).weightOf(product);
      assertEquals(weight, new Parcels(7).weightOf(product));
      none += weight.isEmpty() ? 1 : 0;
      different += weight.equals(new Parcels(8).weightOf(product)) ? 0 : 1;
    }
    assertTrue(none > 800 && none < 1200, none + " products are no parcel");
    assertTrue(different > 9_000, different + " products weigh something else with another seed");
    for (String unknown : new String[] {"P00000", "P10001", "", "42", "P1"}) {
      assertEquals(OptionalInt.empty(), new Parcels(7).weightOf(unknown), unknown);
    }
  }
}
