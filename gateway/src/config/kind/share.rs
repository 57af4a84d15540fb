//! Shares: per cent as people write it, parts per million as it is counted.
//!
//! A share is a decimal number and `%`, without a space: `5%`, `0.5%`. It is read digit by digit, so that what is
//! written is what is meant, and nothing is rounded: a share that is no whole number of parts per million is
//! refused, and so is one above all.

use turnout_control::slot::Weight;

use super::{Complaint, crop};

/// Parts per million in one per cent.
const PERCENT: u32 = 10_000;
/// The decimals that a per cent has before it is no whole number of parts per million.
const DECIMALS: usize = 4;

pub(super) fn share(text: &str) -> Result<Weight, Complaint> {
    let shown = crop(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = text.strip_suffix('%') else {
        let complaint = Complaint::new(format!("`{shown}` is not a share such as `5%`"));
        return Err(if is_digits(text) { complaint.rather(&format!("{text}%")) } else { complaint });
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(decimals) {
        let complaint = Complaint::new(format!("`{shown}` is not a share such as `5%`"));
        let bare = number.trim();
        return Err(if is_digits(bare) { complaint.rather(&format!("{bare}%")) } else { complaint });
    }
    let significant = decimals.trim_end_matches('0');
    if significant.len() > DECIMALS {
        return Err(Complaint::new(format!("`{shown}` is no whole number of millionths"))
            .hint("the smallest share is 0.0001%"));
    }
    let ppm = format!("{significant:0<DECIMALS$}").parse::<u32>().ok();
    // What does not fit is above all.
    let ppm = whole.parse::<u32>().ok().and_then(|whole| whole.checked_mul(PERCENT)?.checked_add(ppm?));
    ppm.and_then(Weight::ppm).ok_or_else(|| Complaint::new(format!("`{shown}` is above 100%, the most")))
}

/// `5%`, `0.5%`: no more decimals than it has.
pub(super) fn show_share(share: Weight) -> String {
    let (whole, rest) = (share.as_ppm() / PERCENT, share.as_ppm() % PERCENT);
    let decimals = format!("{rest:0DECIMALS$}");
    match decimals.trim_end_matches('0') {
        "" => format!("{whole}%"),
        decimals => format!("{whole}.{decimals}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_reads_as_it_is_shown() {
        for (text, ppm) in
            [("0%", 0), ("1%", 10_000), ("0.5%", 5_000), ("33.3333%", 333_333), ("100%", 1_000_000)]
        {
            let share = share(text).unwrap();
            assert_eq!((share.as_ppm(), show_share(share).as_str()), (ppm, text));
        }
        assert_eq!(share("5.50%").unwrap().as_ppm(), 55_000);
    }

    #[test]
    fn what_is_no_share_is_refused_and_never_rounded() {
        for text in
            ["", "%", "5", "5 %", "-1%", "+1%", "1e1%", ".5%", "5.%", "100.0001%", "101%", "NaN%", "0.00001%"]
        {
            assert!(share(text).is_err(), "{text}");
        }
        assert!(share("99999999999999999999%").unwrap_err().reason.contains("above 100%"));
        assert_eq!(share("5").unwrap_err().hint.unwrap(), "did you mean `5%`?");
        assert_eq!(share("5 %").unwrap_err().hint.unwrap(), "did you mean `5%`?");
    }
}
