//! Decides which endpoint of an upstream takes the next request. Pure: counters, loads and seeds come from the caller; no clock, no randomness.
//!
//! Must not touch: sockets, pools, health records (it only asks whether an endpoint may be used).

/// How an upstream spreads its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other, in proportion to the weights.
    #[default]
    RoundRobin,
    /// The endpoint with the fewest requests in flight per weight.
    LeastLoaded,
}

/// What is known about the endpoints at the moment of a choice.
pub trait Candidates {
    /// How many there are.
    fn count(&self) -> usize;
    /// The share of endpoint `at`; 1 where nobody said otherwise. Zero takes it out.
    fn weight(&self, at: usize) -> u32;
    /// Requests in flight to endpoint `at`.
    fn load(&self, at: usize) -> u32;
    /// Whether endpoint `at` may be used now (not set aside, not draining, not tried before).
    fn usable(&self, at: usize) -> bool;
}

/// Above this number of endpoints the least loaded of two random ones is taken instead of the least loaded of all: within a few percent
/// as even, and the cost no longer grows with the number of endpoints.
const SCAN: usize = 16;

/// Chooses one endpoint. `turn` counts the choices made for this upstream so far.
///
/// When no endpoint is usable all of them are, since a request that might succeed is better than one that cannot. `None` only for an empty set.
pub fn choose(how: Balance, turn: u32, among: &impl Candidates) -> Option<usize> {
    let n = among.count();
    match n {
        0 => return None,
        1 => return Some(0),
        _ => {}
    }
    let start = match how {
        Balance::RoundRobin => rotate(turn, among),
        Balance::LeastLoaded if n <= SCAN => return Some(lightest(turn, among).unwrap_or(turn as usize % n)),
        Balance::LeastLoaded => lighter_of_two(turn, among),
    };
    Some(first_usable(start, among))
}

/// The place of choice number `turn` in the rotation. With equal weights that is strict rotation; otherwise the turns are spread over the
/// summed weights by a low-discrepancy step, so that a heavy endpoint does not get its share in one burst.
fn rotate(turn: u32, among: &impl Candidates) -> usize {
    let n = among.count();
    let first = among.weight(0);
    if (1..n).all(|at| among.weight(at) == first) {
        return turn as usize % n;
    }
    let total: u64 = (0..n).map(|at| u64::from(among.weight(at))).sum();
    let mut point = (spread(turn) * total) >> 32;
    for at in 0..n {
        let weight = u64::from(among.weight(at));
        if point < weight {
            return at;
        }
        point -= weight;
    }
    turn as usize % n
}

/// A point in 0..2^32 for each turn; consecutive turns lie far apart and fill the range evenly (multiples of the golden ratio).
fn spread(turn: u32) -> u64 {
    u64::from(turn.wrapping_mul(0x9E37_79B9))
}

/// The usable endpoint with the least load per weight; ties go round with `turn`.
fn lightest(turn: u32, among: &impl Candidates) -> Option<usize> {
    let n = among.count();
    let mut best = None;
    for step in 0..n {
        let at = (turn as usize + step) % n;
        if among.usable(at) && among.weight(at) > 0 && best.is_none_or(|than| lighter(among, at, than)) {
            best = Some(at);
        }
    }
    best
}

fn lighter_of_two(turn: u32, among: &impl Candidates) -> usize {
    let n = among.count() as u64;
    let one = ((spread(turn) * n) >> 32) as usize;
    let two = ((spread(turn.wrapping_mul(0x85EB_CA6B) ^ 0x5BD1_E995) * n) >> 32) as usize;
    if among.usable(two) && (!among.usable(one) || lighter(among, two, one)) { two } else { one }
}

/// Whether endpoint `this` carries less per weight than `that`.
fn lighter(among: &impl Candidates, this: usize, that: usize) -> bool {
    let share = |load: usize, weight: usize| u64::from(among.load(load)) * u64::from(among.weight(weight).max(1));
    share(this, that) < share(that, this)
}

fn first_usable(start: usize, among: &impl Candidates) -> usize {
    let n = among.count();
    (0..n).map(|step| (start + step) % n).find(|at| among.usable(*at) && among.weight(*at) > 0).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Set(Vec<(u32, u32, bool)>);

    impl Candidates for Set {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn weight(&self, at: usize) -> u32 {
            self.0[at].0
        }
        fn load(&self, at: usize) -> u32 {
            self.0[at].1
        }
        fn usable(&self, at: usize) -> bool {
            self.0[at].2
        }
    }

    fn count(how: Balance, set: &Set, turns: u32) -> Vec<u32> {
        let mut got = vec![0; set.count()];
        for turn in 0..turns {
            got[choose(how, turn, set).unwrap()] += 1;
        }
        got
    }

    #[test]
    fn an_empty_set_gives_nothing() {
        assert_eq!(choose(Balance::RoundRobin, 7, &Set(vec![])), None);
    }

    #[test]
    fn equal_weights_rotate_strictly() {
        let set = Set(vec![(1, 0, true); 3]);
        let order: Vec<_> = (0..6).map(|turn| choose(Balance::RoundRobin, turn, &set).unwrap()).collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn weights_are_kept_within_one_percent() {
        let got = count(Balance::RoundRobin, &Set(vec![(3, 0, true), (1, 0, true)]), 1000);
        assert!((740..=760).contains(&got[0]), "{got:?}");
    }

    #[test]
    fn a_weight_of_zero_gets_nothing() {
        assert_eq!(count(Balance::RoundRobin, &Set(vec![(0, 0, true), (2, 0, true)]), 100), [0, 100]);
    }

    #[test]
    fn an_endpoint_set_aside_is_passed_over() {
        assert_eq!(count(Balance::RoundRobin, &Set(vec![(1, 0, true), (1, 0, false)]), 10), [10, 0]);
        assert_eq!(count(Balance::LeastLoaded, &Set(vec![(1, 9, true), (1, 0, false)]), 10), [10, 0]);
    }

    #[test]
    fn all_are_used_when_none_is_usable() {
        assert_eq!(count(Balance::RoundRobin, &Set(vec![(1, 0, false), (1, 0, false)]), 10), [5, 5]);
        assert_eq!(count(Balance::LeastLoaded, &Set(vec![(1, 0, false), (1, 0, false)]), 10), [5, 5]);
    }

    #[test]
    fn the_least_loaded_per_weight_wins_and_ties_rotate() {
        assert_eq!(choose(Balance::LeastLoaded, 0, &Set(vec![(1, 3, true), (1, 2, true), (1, 4, true)])), Some(1));
        assert_eq!(choose(Balance::LeastLoaded, 0, &Set(vec![(4, 3, true), (1, 2, true)])), Some(0));
        assert_eq!(count(Balance::LeastLoaded, &Set(vec![(1, 1, true), (1, 1, true)]), 10), [5, 5]);
    }

    #[test]
    fn large_sets_avoid_the_busy_endpoint_and_reach_all_others() {
        let mut set = Set(vec![(1, 0, true); 40]);
        set.0[7].1 = 100;
        let got = count(Balance::LeastLoaded, &set, 4000);
        assert!(got[7] < 20, "{got:?}");
        assert!(got.iter().enumerate().all(|(at, n)| at == 7 || *n > 20), "{got:?}");
    }
}
