//! What can befall an exchange, and how often it does.

use crate::Dice;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset before the request is read.
    Reset,
    /// The request is read, reaches nobody, and the connection ends after a while without an answer.
    Lost,
    /// The server gets half of the request.
    HalfRequest,
    /// The request arrives late.
    Delayed,
    /// The server gets the request twice.
    Doubled,
    /// The server has answered, and its answer is lost.
    AnswerLost,
    /// The client gets half of the answer, then a reset.
    HalfAnswer,
    /// The client is told that nothing more will come, and the connection stays open towards it.
    HalfClosed,
    /// The answer comes in small pieces.
    Dripped,
    /// A gateway says 502 and the server was never asked.
    BadGateway,
    /// A gateway says 504, and the server has done what was asked.
    GatewayTimeout,
    /// A gateway says 503 and when to come back.
    Unavailable,
    /// A hotspot's sign-in page answers 200 in the server's place.
    CaptivePortal,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Reset,
        Self::Lost,
        Self::HalfRequest,
        Self::Delayed,
        Self::Doubled,
        Self::AnswerLost,
        Self::HalfAnswer,
        Self::HalfClosed,
        Self::Dripped,
        Self::BadGateway,
        Self::GatewayTimeout,
        Self::Unavailable,
        Self::CaptivePortal,
    ];

    /// How it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Lost => "request lost",
            Self::HalfRequest => "request cut in half",
            Self::Delayed => "delayed",
            Self::Doubled => "request doubled",
            Self::AnswerLost => "answer lost",
            Self::HalfAnswer => "answer cut in half",
            Self::HalfClosed => "half closed",
            Self::Dripped => "answer dripped",
            Self::BadGateway => "502 in the server's place",
            Self::GatewayTimeout => "504 after the server had answered",
            Self::Unavailable => "503 in the server's place",
            Self::CaptivePortal => "a hotspot's page",
        }
    }
}

/// How often something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Of a thousand exchanges, so many are struck.
    per_mille: u64,
    /// By this fault alone; by any without it.
    only: Option<Fault>,
    is_down: bool,
}

impl Weather {
    /// Nothing goes wrong.
    pub fn fair() -> Self {
        Self { per_mille: 0, only: None, is_down: false }
    }

    /// So many of a thousand exchanges are struck, by one fault as often as by another.
    pub fn storm(per_mille: u64) -> Self {
        Self { per_mille, only: None, is_down: false }
    }

    /// Each exchange is struck by that.
    pub fn always(fault: Fault) -> Self {
        Self { per_mille: 1_000, only: Some(fault), is_down: false }
    }

    /// Nothing gets through, and what is on its way breaks.
    pub fn down() -> Self {
        Self { per_mille: 1_000, only: Some(Fault::Reset), is_down: true }
    }

    pub(crate) fn is_down(self) -> bool {
        self.is_down
    }

    pub(crate) fn draw(self, dice: &mut Dice) -> Option<Fault> {
        let (is_struck, which) = (dice.below(1_000) < self.per_mille, dice.below(Fault::ALL.len() as u64));
        let any = Fault::ALL.into_iter().zip(0..).find_map(|(fault, number)| (number == which).then_some(fault));
        is_struck.then_some(self.only.or(any)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, weather: Weather) -> Vec<Option<Fault>> {
        (0..1_000).map(|number| weather.draw(&mut Dice::new(seed, number))).collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_weather_and_another_seed_another() {
        let storm = Weather::storm(300);
        assert_eq!(drawn(7, storm), drawn(7, storm));
        assert_ne!(drawn(7, storm), drawn(8, storm));
    }

    #[test]
    fn a_storm_strikes_as_often_as_it_says_and_with_everything() {
        let struck: Vec<Fault> = drawn(1, Weather::storm(300)).into_iter().flatten().collect();
        assert!((200..400).contains(&struck.len()), "{} of 1000", struck.len());
        for fault in Fault::ALL {
            assert!(struck.contains(&fault), "{} never happens", fault.name());
        }
        assert!(drawn(1, Weather::fair()).into_iter().all(|fault| fault.is_none()));
        assert!(drawn(1, Weather::always(Fault::Lost)).into_iter().all(|fault| fault == Some(Fault::Lost)));
    }

    #[test]
    fn a_fault_is_counted_under_its_own_number() {
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, number);
        }
    }
}
