//! Local tasks that are used again: a task whose job is done waits for the next one, so that a request starts none. What a
//! job is, and what is done with it, is its owner's business.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Tasks that wait for the next job; more than these end when they are idle.
const IDLE: usize = 256;

/// The tasks of one worker for one kind of job.
pub(crate) struct Seats<J> {
    free: RefCell<Vec<Rc<Seat<J>>>>,
}

struct Seat<J> {
    job: RefCell<Option<J>>,
    waker: Cell<Option<Waker>>,
}

impl<J> Seat<J> {
    async fn next(&self) -> J {
        poll_fn(|cx| {
            if let Some(job) = self.job.borrow_mut().take() {
                return Poll::Ready(job);
            }
            self.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

impl<J: 'static> Seats<J> {
    /// No tasks yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { free: RefCell::default() })
    }

    /// Tasks that wait for a job.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.free.borrow().len()
    }

    /// Has a task do a job. `work` is the same for all jobs of these seats.
    pub(crate) fn give<F, Fut>(self: &Rc<Self>, job: J, work: F)
    where
        F: Fn(J) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let free = self.free.borrow_mut().pop();
        let Some(seat) = free else {
            let seat = Rc::new(Seat { job: RefCell::new(Some(job)), waker: Cell::default() });
            tokio::task::spawn_local(self.clone().sit(seat, work));
            return;
        };
        *seat.job.borrow_mut() = Some(job);
        if let Some(waker) = seat.waker.take() {
            waker.wake();
        }
    }

    async fn sit<F, Fut>(self: Rc<Self>, seat: Rc<Seat<J>>, work: F)
    where
        F: Fn(J) -> Fut,
        Fut: Future<Output = ()>,
    {
        loop {
            work(seat.next().await).await;
            let mut free = self.free.borrow_mut();
            if free.len() >= IDLE {
                return;
            }
            free.push(seat.clone());
        }
    }
}
