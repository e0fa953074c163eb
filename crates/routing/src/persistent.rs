//! A hash map whose copies share what they have in common: two levels of 64 and a short list.
//!
//! A change copies one branch and one bucket, about a hundred pointers at 50,000 entries. A look-up reads three cache
//! lines. Keys are the caller's: it gives the hash and says which of the values found is meant.

use std::sync::Arc;

const FANOUT: usize = 64;
const BITS: u32 = FANOUT.trailing_zeros();

type Bucket<V> = Arc<[(u64, V)]>;
type Branch<V> = [Option<Bucket<V>>; FANOUT];

#[derive(Debug, Clone)]
pub(crate) struct Map<V> {
    root: Box<[Option<Arc<Branch<V>>>]>,
    len: usize,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { root: (0..FANOUT).map(|_| None).collect(), len: 0 }
    }
}

fn slots(hash: u64) -> (usize, usize) {
    let first = (hash >> (u64::BITS - BITS)) as usize;
    let second = (hash >> (u64::BITS - 2 * BITS)) as usize % FANOUT;
    (first, second)
}

impl<V: Clone> Map<V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, hash: u64, is_it: impl Fn(&V) -> bool) -> Option<&V> {
        let (first, second) = slots(hash);
        let bucket = self.root[first].as_ref()?[second].as_ref()?;
        bucket.iter().find(|(h, value)| *h == hash && is_it(value)).map(|(_, value)| value)
    }

    /// Puts `value` in the place of the one `is_it` recognises, or takes that one out (`None`). Returns what was there.
    pub(crate) fn put(&mut self, hash: u64, is_it: impl Fn(&V) -> bool, value: Option<V>) -> Option<V> {
        let (first, second) = slots(hash);
        let branch = self.root[first].get_or_insert_with(|| Arc::new(std::array::from_fn(|_| None)));
        let bucket = &mut Arc::make_mut(branch)[second];
        let entries = bucket.as_deref().unwrap_or_default();
        let at = entries.iter().position(|(h, v)| *h == hash && is_it(v));
        let old = at.map(|at| entries[at].1.clone());
        let others = entries.iter().enumerate().filter(|(index, _)| Some(*index) != at).map(|(_, entry)| entry.clone());
        self.len = self.len + usize::from(value.is_some()) - usize::from(old.is_some());
        let next: Bucket<V> = others.chain(value.map(|v| (hash, v))).collect::<Vec<_>>().into();
        *bucket = (!next.is_empty()).then_some(next);
        old
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let branches = self.root.iter().flatten();
        branches.flat_map(|branch| branch.iter().flatten()).flat_map(|bucket| bucket.iter().map(|(_, value)| value))
    }
}
