//! One whole measurement with real processes, short and unpinned: the figures are not looked at, the
//! counts are.

use std::path::Path;
use std::time::Duration;

use turnout_bench::contender::CONTENDERS;
use turnout_bench::question::Values;
use turnout_bench::stand::cores::Cores;
use turnout_bench::stand::load::Pace;
use turnout_bench::stand::measure::{Settings, measure};

#[tokio::test]
async fn every_contender_is_measured_with_every_question_it_answers() {
    let programs = Path::new(env!("CARGO_BIN_EXE_bench-upstream")).parent().unwrap();
    let settings = Settings {
        length: Duration::from_millis(100),
        warmup: Duration::from_millis(20),
        connections: 3,
        pace: Pace::Closed,
        values: Values::Vary,
        cores: Cores::Shared,
        programs: programs.to_owned(),
    };
    let own = CONTENDERS.iter().filter(|contender| contender.package == env!("CARGO_PKG_NAME"));
    for contender in own {
        for ask in contender.asks {
            let measured = measure(&settings, contender, ask).await.unwrap();
            let what = format!("{} {}: {measured:?}", contender.name, ask.question);
            assert!(measured.requests >= 3, "{what}");
            assert_eq!((measured.wrong, measured.failed, measured.same_bytes), (0, 0, true), "{what}");
            assert_eq!(measured.calls_per_request, ask.calls as f64, "{what}");
            assert!(measured.memory_peak_kib > 0 && measured.p50_us <= measured.p99_us, "{what}");
        }
    }
}
