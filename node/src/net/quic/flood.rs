//! How much of what strangers send over UDP is let through while they flood: a share that follows what arrives.
//!
//! Receiving a packet costs a few microseconds, dropped or not, so under a flood the kernel is asked to drop most of it.
//! The share is halved or doubled window by window until what still arrives costs next to nothing.

use std::time::Duration;

use tokio::time::Instant;

/// How long packets are counted before the share is set anew.
pub(super) const WINDOW: Duration = Duration::from_millis(100);

/// Packets of strangers in one window that cost no more than strangers may: 1,000 a second.
const BEARABLE: u32 = 100;

/// Packets in one window that are a flood.
const FLOOD: u32 = 2 * BEARABLE;

/// Packets in one window below which the share is doubled.
const FEW: u32 = BEARABLE / 4;

/// The least share is one packet in 2¹⁶: more than one core can receive times a thousand.
const HALVINGS_MAX: u32 = 16;

/// Windows without a flood after which the kernel drops nothing any more: 30 s.
const CALM_WINDOWS: u32 = 300;

/// What strangers sent of late, and the share of it that is let through.
#[derive(Debug)]
pub(super) struct Flood {
    began: Instant,
    packets: u32,
    share: Option<Share>,
    calm: u32,
}

/// One packet of strangers in 2 to this power is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) halvings: u32,
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            packets: 0,
            share: None,
            calm: 0,
        }
    }

    /// So many packets of strangers came.
    pub(super) fn count(&mut self, packets: u32) {
        self.packets = self.packets.saturating_add(packets);
    }

    /// What is let through; `None` while there is no flood, and everything is.
    pub(super) fn share(&self) -> Option<Share> {
        self.share
    }

    /// When the window ends.
    pub(super) fn window_end(&self) -> Instant {
        self.began + WINDOW
    }

    /// Ends the window if it is over, and sets the share for the next; whether it was.
    pub(super) fn pass(&mut self, now: Instant) -> bool {
        if now < self.window_end() {
            return false;
        }
        let packets = self.in_one_window(now);
        (self.began, self.packets) = (now, 0);
        self.share = self.next_share(packets);
        true
    }

    /// Packets in so long a time as a window: it may have ended late.
    fn in_one_window(&self, now: Instant) -> u32 {
        let lasted = (now - self.began).as_secs_f64() / WINDOW.as_secs_f64();
        (f64::from(self.packets) / lasted.max(1.0)) as u32
    }

    fn next_share(&mut self, packets: u32) -> Option<Share> {
        let halvings = self.share.map_or(0, |share| share.halvings);
        if packets > FLOOD {
            self.calm = 0;
            let halvings = halvings + (packets / BEARABLE).ilog2();
            return Some(Share {
                halvings: halvings.min(HALVINGS_MAX),
            });
        }
        self.share?;
        if packets < FEW && halvings > 0 {
            return Some(Share {
                halvings: halvings - 1,
            });
        }
        self.calm += 1;
        (halvings > 0 || self.calm < CALM_WINDOWS).then_some(Share { halvings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share after so many windows in which strangers sent so many packets each.
    fn after(flood: &mut Flood, windows: u32, sent: u32) -> Option<Share> {
        for _ in 0..windows {
            let halvings = flood.share().map_or(0, |share| share.halvings);
            flood.count(sent >> halvings);
            flood.pass(flood.window_end());
        }
        flood.share()
    }

    #[test]
    fn a_busy_day_is_no_flood() {
        let mut flood = Flood::new(Instant::now());
        assert_eq!(after(&mut flood, 1_000, FLOOD), None);
    }

    #[test]
    fn under_a_flood_what_is_bearable_gets_through() {
        let mut flood = Flood::new(Instant::now());
        for sent in [1_000, 7_000, 18_000, 1_000_000] {
            let share = after(&mut flood, 10, sent);
            let let_through = share.map(|share| sent >> share.halvings);
            let bearable = let_through.is_some_and(|packets| (FEW..=FLOOD).contains(&packets));
            assert!(bearable, "{let_through:?} of {sent}");
        }
    }

    #[test]
    fn everything_is_let_through_again_once_it_is_calm() {
        let mut flood = Flood::new(Instant::now());
        after(&mut flood, 10, 1_000_000);
        let share = after(&mut flood, HALVINGS_MAX, 0);
        assert_eq!(share, Some(Share { halvings: 0 }));
        assert_eq!(after(&mut flood, CALM_WINDOWS, 0), None);
    }

    #[test]
    fn a_window_that_ends_late_counts_by_its_length() {
        let mut flood = Flood::new(Instant::now());
        flood.count(4 * FLOOD);
        assert!(!flood.pass(flood.began));
        assert!(flood.pass(flood.window_end() + 3 * WINDOW));
        assert_eq!(flood.share(), None);
        flood.count(4 * FLOOD);
        assert!(flood.pass(flood.window_end()));
        assert!(flood.share().is_some());
    }
}
