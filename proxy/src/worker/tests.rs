use super::*;
use std::future::poll_fn;
use std::time::Duration;

#[test]
fn a_worker_runs_its_tasks_and_tells_them_when_draining_begins() {
    let (phase, drain) = watch::channel(DrainPhase::Serving);
    let (told, heard) = std::sync::mpsc::sync_channel(2);
    let thread = spawn(Seed { id: 0, drain, shard: Arc::default() }, move |worker| async move {
        let deadline = worker.wheel.deadline();
        deadline.set(Duration::from_mins(1));
        told.send(worker.drain_phase()).unwrap();
        poll_fn(|cx| {
            if worker.drain_phase() == DrainPhase::Draining {
                return std::task::Poll::Ready(());
            }
            deadline.poll_expired(cx)
        })
        .await;
        told.send(worker.drain_phase()).unwrap();
    })
    .unwrap();
    assert_eq!(heard.recv().unwrap(), DrainPhase::Serving);
    phase.send(DrainPhase::Draining).unwrap();
    assert_eq!(heard.recv().unwrap(), DrainPhase::Draining);
    thread.join().unwrap().unwrap();
}
