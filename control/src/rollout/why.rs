//! Why does a rollout stand where it stands, and what is missing to go on? In one sentence, with numbers.
//!
//! Evidence is written against what it has to reach: safety to go on, harm and slowness to go back. The time to proof
//! takes the calls of late and the failures until now to go on as they are. Nothing is decided here.

use super::{Analysis, Approval, Consent, Dwelling, Hold, Order, Pending, Rollout, State};

impl Rollout {
    /// Why it stands where it stands. `rate` is the candidate's calls a second, of late.
    pub fn why(&self, analysis: &Analysis, rate: f64) -> String {
        let again = if self.state.has_ended() && self.orders.contains(&Order::Start) {
            "; an operator wants another try, which begins when it runs, fits and is the newest"
        } else {
            ""
        };
        self.stands(analysis, rate) + again
    }

    fn stands(&self, analysis: &Analysis, rate: f64) -> String {
        let evidence = || self.evidence(analysis);
        match &self.state {
            State::Pending(Pending::Operator) => format!("{} waits for an operator to start it", self.to),
            State::Pending(Pending::Instances) => {
                format!(
                    "{} waits for an instance that serves and is warm, beside one of {}",
                    self.to, self.from
                )
            }
            State::Pending(Pending::Others) => {
                format!("{} waits for other rollouts that its users are in", self.to)
            }
            State::Shifting(at) => {
                format!("{}: {}; {}", self.place(at), self.missing(at, analysis, rate), evidence())
            }
            State::Holding(at, hold) => {
                let armed = match hold {
                    Hold::Operator(_) | Hold::Shift(_) => self.safety(analysis, rate),
                    Hold::Coverage(_)
                    | Hold::Mismatches(_)
                    | Hold::OneReplica
                    | Hold::Outage
                    | Hold::NoInstance
                    | Hold::NoStable => "it goes back if harm shows".to_owned(),
                };
                format!("{}, held: {hold}; {armed}; {}", self.place(at), evidence())
            }
            State::Inconclusive(at) => {
                let safety = self.safety(analysis, rate);
                format!(
                    "{}, and its time is over: {safety}; an operator decides; {}",
                    self.place(at),
                    evidence()
                )
            }
            State::Promoted => format!("{} is stable", self.to),
            State::RolledBack(why) => {
                let data = if self.migrates {
                    "; it may have written data that this version cannot read"
                } else {
                    ""
                };
                format!("went back to {}: {why}{data}", self.from)
            }
            State::Superseded(version) => format!("{version} took its place"),
        }
    }

    /// "step 2 of 4, 5 %".
    fn place(&self, at: &Dwelling) -> String {
        let weight = self.plan.steps.get(at.step).map_or(0, |step| step.weight.as_ppm());
        format!("step {} of {}, {} %", at.step + 1, self.plan.steps.len(), f64::from(weight) / 10_000.0)
    }

    /// What has to come for it to leave the step.
    fn missing(&self, at: &Dwelling, analysis: &Analysis, rate: f64) -> String {
        let Some(step) = self.plan.steps.get(at.step) else { return "its plan has no such step".to_owned() };
        let mut missing = Vec::new();
        if !analysis.safety_shown(self.plan.beta) {
            missing.push(self.safety(analysis, rate));
        }
        if at.dwelt.is_zero() {
            missing.push("not all gateways route by it yet".to_owned());
        } else if at.dwelt < step.dwell_min {
            let left = step.dwell_min - at.dwelt;
            missing.push(format!("it stays {} more", span(left.as_secs_f64())));
        }
        if step.approval == Approval::Operator && at.consent != Consent::Given {
            missing.push("an operator has to approve".to_owned());
        }
        if missing.is_empty() {
            return "all is proven, and it needs warm instances of the candidate to go on".to_owned();
        }
        missing.join(", ")
    }

    /// "safety 11/20, about 14 min more at 4.2 calls/s".
    fn safety(&self, analysis: &Analysis, rate: f64) -> String {
        let (value, bound) = (analysis.safety().ln().exp(), 1.0 / self.plan.beta);
        let shown = format!("safety {}/{bound:.0}", brief(value, bound));
        if analysis.safety_shown(self.plan.beta) {
            return shown;
        }
        match analysis.safety().calls_missing(self.plan.beta, analysis.sum().candidate) {
            None => format!("{shown}, and at this rate of failures it will not be proven"),
            Some(_) if rate <= 0.0 => format!("{shown}, and there are no calls at present"),
            Some(calls) => {
                let places = if rate < 1.0 { 3 } else { 1 };
                format!("{shown}, about {} more at {rate:.places$} calls/s", span(calls / rate))
            }
        }
    }

    /// "harm 0.3/100, slowness 0.1/200, 12 of 500 excess failures".
    fn evidence(&self, analysis: &Analysis) -> String {
        let of = |ln: f64, alpha: f64| format!("{}/{:.0}", brief(ln.exp(), 1.0 / alpha), 1.0 / alpha);
        format!(
            "harm {}, slowness {}, {} of {} excess failures",
            of(analysis.failures().ln(), self.plan.alpha_failures),
            of(analysis.slowness().harm().ln(), self.plan.alpha_slowness),
            analysis.excess_failures(),
            self.plan.excess_failures_max,
        )
    }
}

/// A number as far as it matters beside its bound, and never as if it had reached a bound that it has not.
fn brief(value: f64, bound: f64) -> String {
    if value >= 10.0 * bound {
        format!("more than {:.0}", 10.0 * bound)
    } else if value >= bound {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{:.0}", value.floor())
    } else {
        format!("{:.1}", (value * 10.0).floor() / 10.0)
    }
}

/// "40 s", "14 min", "3.2 h", "5 days".
fn span(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{:.0} s", seconds.ceil())
    } else if seconds < 90.0 * 60.0 {
        format!("{:.0} min", (seconds / 60.0).ceil())
    } else if seconds < 48.0 * 3600.0 {
        format!("{:.1} h", seconds / 3600.0)
    } else {
        format!("{:.0} days", (seconds / 86_400.0).ceil())
    }
}
