//! Who is asked: experts that do not earn their cost rest, and are tried again from time to time.
//!
//! What an expert earns is what the combination would lose without it once the other weights had made up for it as well
//! as they can ("Optimal brain surgeon", Hassibi and Stork, 1993), which the curvature that the stack has anyway tells;
//! its cost is a count of operations that follows from the shape and the configuration.

use crate::state::{StateError, TensorMap, mismatch, sized};

/// What can rest. All else costs next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A second-order model.
    Newton(usize),
    /// Neighbours in the short memory, and in the long one.
    Window,
    Memory,
    Forest,
    Boosting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Speaks,
    Rests,
    /// Learns again, and does not speak yet.
    Warms,
}

/// What becomes of a part at the end of its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Rests,
    Wakes,
}

/// Examples for which a part speaks before it is judged, again and again.
const TRIAL: u64 = 1_000;

/// Examples that a part learns from after a rest before it speaks.
const WARMING: u64 = 500;

/// The shortest rest and the longest: each is twice as long as the one before.
const REST: u64 = 4_000;
const REST_MAX: u64 = 32_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    /// The others in the order of [`Roster::parts`], then the second-order models.
    turns: Vec<Turn>,
    newtons: usize,
    learned: u64,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    mood: Mood,
    since: u64,
    until: u64,
    /// Of the next rest.
    rest: u64,
}

const OTHERS: [Part; 4] = [Part::Memory, Part::Window, Part::Forest, Part::Boosting];

impl Roster {
    pub fn new(newtons: usize) -> Self {
        let first = Turn { mood: Mood::Speaks, since: 0, until: 2 * TRIAL, rest: REST };
        Self { turns: vec![first; OTHERS.len() + newtons], newtons, learned: 0 }
    }

    fn turn(&self, part: Part) -> &Turn {
        let at = match part {
            Part::Memory => 0,
            Part::Window => 1,
            Part::Forest => 2,
            Part::Boosting => 3,
            Part::Newton(index) => OTHERS.len() + index,
        };
        &self.turns[at]
    }

    /// In the order of their turns: what costs most is judged while the others still speak.
    fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        OTHERS.into_iter().chain((0..self.newtons).map(Part::Newton))
    }

    /// Whether its opinions count.
    #[inline(always)]
    pub fn speaks(&self, part: Part) -> bool {
        self.turn(part).mood == Mood::Speaks
    }

    /// Whether it learns.
    #[inline(always)]
    pub fn learns(&self, part: Part) -> bool {
        self.turn(part).mood != Mood::Rests
    }

    /// An example was learned: a part whose turn is over, with what becomes of it. Of several it is the first, and the
    /// others have to wait for the next example: what two say that is much the same, one of them has to go on saying.
    /// `earns` tells of one that has spoken for so many examples whether it may go on; an alarm wakes all.
    pub fn learn(&mut self, alarm: bool, earns: impl FnOnce(Part, u64) -> bool) -> Option<(Part, Change)> {
        self.learned += 1;
        if alarm {
            for turn in &mut self.turns {
                turn.rest = REST;
                if turn.mood == Mood::Rests {
                    turn.until = self.learned;
                }
            }
        }
        let (part, turn) = self.parts().zip(&mut self.turns).find(|(_, turn)| turn.until <= self.learned)?;
        match turn.mood {
            Mood::Speaks if earns(part, self.learned - turn.since) => {
                turn.until = self.learned + TRIAL;
                turn.rest = REST;
                None
            }
            Mood::Speaks => {
                turn.mood = Mood::Rests;
                turn.until = self.learned + turn.rest;
                turn.rest = REST_MAX.min(2 * turn.rest);
                Some((part, Change::Rests))
            }
            Mood::Rests => {
                turn.mood = Mood::Warms;
                turn.until = self.learned + WARMING;
                Some((part, Change::Wakes))
            }
            Mood::Warms => {
                turn.mood = Mood::Speaks;
                turn.since = self.learned;
                turn.until = self.learned + TRIAL;
                None
            }
        }
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("learned", self.learned);
        map.put_bytes("moods", self.turns.iter().map(|turn| turn.mood as u8).collect());
        let mut put = |name, time: fn(&Turn) -> u64| {
            map.put_u64(name, &self.turns.iter().map(time).collect::<Vec<_>>());
        };
        put("since", |turn| turn.since);
        put("until", |turn| turn.until);
        put("rest", |turn| turn.rest);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let learned = state.u64_one("learned")?;
        if learned > u64::MAX / 2 {
            return Err(mismatch("learned", learned, "fewer examples"));
        }
        let moods = sized(state.bytes("moods")?.to_vec(), self.turns.len(), "moods")?;
        let moods = moods.iter().map(|mood| match mood {
            0 => Ok(Mood::Speaks),
            1 => Ok(Mood::Rests),
            2 => Ok(Mood::Warms),
            other => Err(mismatch("moods", other, "numbers from 0 to 2")),
        });
        let moods = moods.collect::<Result<Vec<_>, _>>()?;
        let times = |name| sized(state.u64s(name)?, self.turns.len(), name);
        let times = [times("since")?, times("until")?, times("rest")?];
        if let Some(since) = times[0].iter().find(|since| **since > learned) {
            return Err(mismatch("since", since, format_args!("at most {learned}")));
        }
        if let Some(until) = times[1].iter().find(|until| **until > learned + REST_MAX) {
            return Err(mismatch("until", until, format_args!("at most {REST_MAX} after {learned}")));
        }
        if let Some(rest) = times[2].iter().find(|rest| !(REST..=REST_MAX).contains(rest)) {
            return Err(mismatch("rest", rest, format_args!("{REST} to {REST_MAX}")));
        }
        self.learned = learned;
        for (at, (turn, mood)) in self.turns.iter_mut().zip(moods).enumerate() {
            *turn = Turn { mood, since: times[0][at], until: times[1][at], rest: times[2][at] };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts that speak after `examples` more, of which those in `earning` earn their cost.
    fn speak_after(roster: &mut Roster, examples: u64, earning: &[Part], alarm: bool) -> Vec<Part> {
        for example in 0..examples {
            roster.learn(alarm && example == 0, |part, _| earning.contains(&part));
        }
        roster.parts().filter(|part| roster.speaks(*part)).collect()
    }

    #[test]
    fn who_does_not_earn_rests_and_is_tried_again_ever_more_rarely() {
        let mut roster = Roster::new(2);
        let all: Vec<Part> = roster.parts().collect();
        let earning = [Part::Memory, Part::Newton(1)];
        assert_eq!(speak_after(&mut roster, 2 * TRIAL - 1, &earning, false), all);
        assert_eq!(speak_after(&mut roster, 10, &earning, false), earning);
        let mut tried = Vec::new();
        for example in 0..100_000_u64 {
            let spoke = roster.speaks(Part::Forest);
            roster.learn(false, |part, _| earning.contains(&part));
            if !spoke && roster.speaks(Part::Forest) {
                tried.push(example);
                assert!(roster.learns(Part::Forest));
            }
        }
        let pauses: Vec<u64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(tried[0] >= REST && pauses.len() >= 3, "{tried:?}");
        assert!(pauses.is_sorted() && *pauses.last().unwrap() <= REST_MAX + 2 * TRIAL, "{pauses:?}");
    }

    #[test]
    fn an_alarm_wakes_all_and_who_earns_then_goes_on() {
        let mut roster = Roster::new(2);
        let all: Vec<Part> = roster.parts().collect();
        assert_eq!(speak_after(&mut roster, 20_000, &[], false), []);
        assert_eq!(speak_after(&mut roster, WARMING + 10, &all, true), all);
        assert_eq!(speak_after(&mut roster, 50_000, &all, false), all);
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        let mut roster = Roster::new(1);
        let first = roster.save().digest();
        let broken = |path: &str, value: u64| {
            let mut state = Roster::new(1).save();
            let times = if path == "learned" { vec![value] } else { vec![value; 5] };
            state.put_u64(path, &times);
            state
        };
        for (path, value) in
            [("learned", u64::MAX), ("since", 1), ("until", REST_MAX + 1), ("rest", 0), ("rest", u64::MAX)]
        {
            let error = roster.load(&broken(path, value)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("tensor {path:?} is ")), "{error}");
            assert_eq!(roster.save().digest(), first);
        }
    }
}
