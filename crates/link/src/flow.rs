//! The arithmetic of credit for one direction of a connection. Both ends do the same sums; nothing here sends.

/// Room of one direction: each stream has a floor of its own, and what exceeds the floors shares one window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    stream: u32,
    floor: u32,
    shared: u32,
    used: u64,
    tight: bool,
}

impl Window {
    pub(crate) fn new(stream: u32, floor: u32, shared: u32) -> Self {
        Self { stream, floor, shared, used: 0, tight: shared == 0 }
    }

    /// Bytes a stream with this much outstanding may still send.
    pub(crate) fn room(&self, outstanding: u32) -> u32 {
        let own = self.floor.saturating_sub(outstanding);
        own.saturating_add(self.shared_left()).min(self.stream.saturating_sub(outstanding))
    }

    /// Whether only the shared part keeps such a stream from sending.
    pub(crate) fn lacks_shared(&self, outstanding: u32) -> bool {
        self.room(outstanding) == 0 && outstanding < self.stream
    }

    pub(crate) fn add(&mut self, outstanding: &mut u32, bytes: u32) {
        let before = self.excess(*outstanding);
        *outstanding += bytes;
        self.used += u64::from(self.excess(*outstanding) - before);
    }

    pub(crate) fn subtract(&mut self, outstanding: &mut u32, bytes: u32) {
        let before = self.excess(*outstanding);
        *outstanding -= bytes;
        self.used -= u64::from(before - self.excess(*outstanding));
    }

    /// Everything outstanding comes back at once.
    pub(crate) fn release(&mut self, outstanding: &mut u32) {
        let all = *outstanding;
        self.subtract(outstanding, all);
    }

    pub(crate) fn excess(&self, outstanding: u32) -> u32 {
        outstanding.saturating_sub(self.floor)
    }

    pub(crate) fn shared_left(&self) -> u32 {
        u64::from(self.shared).saturating_sub(self.used) as u32
    }

    /// Looks whether times have become tight, which they are from half of the shared part until only a quarter of it is taken.
    pub(crate) fn turned_tight(&mut self) -> bool {
        let shared = u64::from(self.shared);
        let was = self.tight;
        self.tight = if was { self.used * 4 >= shared } else { self.used * 2 >= shared };
        self.tight && !was
    }

    /// How much may be consumed before credit is due. In tight times a sender may be held at its floor, so half of that must do.
    pub(crate) fn batch(&self) -> u32 {
        if self.tight { self.floor / 2 } else { self.stream / 2 }
    }
}
