//! The goals, each a bound on the median over the rounds of something computed from each round by itself.

use serde::Serialize;

use super::figures::{Figures, Isolation, Sample, Spread};
use super::subject::{BUILTIN_BYTES, KIBIBYTE, MEBIBYTE, Road};

/// Beyond the local call and one round trip, what a call to a peer may take, in microseconds.
const PEER_ALLOWANCE_MICROS: f64 = 100.0;

/// On which side of the bound is good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Small is good.
    AtMost(f64),
    /// Large is good.
    AtLeast(f64),
}

/// One goal and how it was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// What is bounded.
    pub what: &'static str,
    /// In what it is counted.
    pub unit: &'static str,
    /// Its bound.
    pub bound: Bound,
    /// What was measured; absent when it was not.
    pub measured: Option<Spread>,
}

impl Goal {
    /// Whether the median is on the good side; `None` when nothing was measured.
    pub fn is_met(&self) -> Option<bool> {
        let median = self.measured?.median;
        Some(match self.bound {
            Bound::AtMost(bound) => median <= bound,
            Bound::AtLeast(bound) => median >= bound,
        })
    }
}

/// Every goal.
pub fn goals(figures: &Figures) -> Vec<Goal> {
    let mut goals = gateway_goals(figures);
    goals.extend(peer_goals(figures));
    goals.extend(single_goals(figures));
    goals
}

fn gateway_goals(figures: &Figures) -> Vec<Goal> {
    let of = |road, in_flight, bytes| figures.of(road, in_flight, bytes);
    vec![
        Goal {
            what: "gateway CPU of a call to an HTTP upstream, 1 KiB, 8 in flight",
            unit: "µs",
            bound: Bound::AtMost(40.0),
            measured: Spread::of(of(Road::Http, 8, KIBIBYTE).iter().map(|s| s.node_micros)),
        },
        Goal {
            what: "p50 of a call to an HTTP upstream, 1 KiB, by direct",
            unit: "×",
            bound: Bound::AtMost(2.2),
            measured: ratio(
                of(Road::Http, 1, KIBIBYTE),
                of(Road::Direct, 1, KIBIBYTE),
                |s| s.p50_micros,
            ),
        },
        Goal {
            what: "rate of calls to an HTTP upstream, 1 MiB, 4 in flight, by direct",
            unit: "×",
            bound: Bound::AtLeast(0.65),
            measured: ratio(
                of(Road::Http, 4, MEBIBYTE),
                of(Road::Direct, 4, MEBIBYTE),
                |s| s.calls_per_second,
            ),
        },
        Goal {
            what: "rate of builtin calls, 32 in flight, by the minimal server",
            unit: "×",
            bound: Bound::AtLeast(0.8),
            measured: ratio(
                of(Road::Builtin, 32, BUILTIN_BYTES),
                of(Road::Direct, 32, BUILTIN_BYTES),
                |s| s.calls_per_second,
            ),
        },
    ]
}

fn peer_goals(figures: &Figures) -> Vec<Goal> {
    let of = |road, in_flight, bytes| figures.of(road, in_flight, bytes);
    let beyond = |peer, local| {
        let quic = of(Road::Quic, 1, KIBIBYTE);
        let rounds = of(peer, 1, KIBIBYTE).iter().zip(of(local, 1, KIBIBYTE));
        let beyond = rounds
            .zip(quic)
            .map(|((peer, local), quic)| peer.p50_micros - local.p50_micros - quic.p50_micros);
        Spread::of(beyond)
    };
    let rate = |road| Spread::of(of(road, 32, KIBIBYTE).iter().map(|s| s.calls_per_second));
    let large = of(Road::PeerHttp, 1, MEBIBYTE).iter();
    let many = of(Road::PeerHttp, 4, MEBIBYTE).iter();
    vec![
        Goal {
            what: "p50 of a call to a peer's stdio child beyond local call + QUIC round trip",
            unit: "µs",
            bound: Bound::AtMost(PEER_ALLOWANCE_MICROS),
            measured: beyond(Road::PeerStdio, Road::Stdio),
        },
        Goal {
            what: "p50 of a call to a peer's HTTP upstream beyond local call + QUIC round trip",
            unit: "µs",
            bound: Bound::AtMost(PEER_ALLOWANCE_MICROS),
            measured: beyond(Road::PeerHttp, Road::Http),
        },
        Goal {
            what: "calls to a peer's stdio child, 1 KiB, 32 in flight",
            unit: "/s",
            bound: Bound::AtLeast(20_000.0),
            measured: rate(Road::PeerStdio),
        },
        Goal {
            what: "calls to a peer's HTTP upstream, 1 KiB, 32 in flight",
            unit: "/s",
            bound: Bound::AtLeast(20_000.0),
            measured: rate(Road::PeerHttp),
        },
        Goal {
            what: "p50 of a call to a peer, 1 MiB",
            unit: "ms",
            bound: Bound::AtMost(5.0),
            measured: Spread::of(large.map(|s| s.p50_micros / 1_000.0)),
        },
        Goal {
            what: "calls to a peer, 1 MiB, 4 in flight",
            unit: "/s",
            bound: Bound::AtLeast(300.0),
            measured: Spread::of(many.map(|s| s.calls_per_second)),
        },
    ]
}

fn single_goals(figures: &Figures) -> Vec<Goal> {
    let singles = &figures.singles;
    let goal = |what, unit, bound, samples: &[f64]| Goal {
        what,
        unit,
        bound: Bound::AtMost(bound),
        measured: Spread::of(samples.iter().copied()),
    };
    let isolation = |ratio: fn(&Isolation) -> f64| -> Vec<f64> {
        singles.isolation.iter().map(ratio).collect()
    };
    vec![
        goal(
            "cold connect to a peer and first call",
            "ms",
            20.0,
            &singles.cold_millis,
        ),
        goal(
            "p99 beside a hanging and a dead upstream, by beside a healthy one",
            "×",
            1.1,
            &isolation(|p99| p99.disturbed_micros / p99.healthy_micros),
        ),
        goal(
            "p99 beside a hanging and a dead upstream, by alone",
            "×",
            1.1,
            &isolation(|p99| p99.disturbed_micros / p99.alone_micros),
        ),
        goal(
            "process start to first local result",
            "ms",
            60.0,
            &singles.start_millis,
        ),
        goal("idle memory", "MiB", 25.0, &singles.idle_mebibytes),
    ]
}

/// Round by round, then the middle: what the machine does to one subject of a round it does to the other.
fn ratio(above: &[Sample], below: &[Sample], of: fn(&Sample) -> f64) -> Option<Spread> {
    Spread::of(above.iter().zip(below).map(|(a, b)| of(a) / of(b)))
}
