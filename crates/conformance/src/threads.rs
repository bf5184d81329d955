//! Many threads at once.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;

/// How many threads the cases on concurrency start: more than there are processors, so that threads are
/// interrupted anywhere.
pub(crate) const THREADS: usize = 8;

/// Runs `work` on [`THREADS`] threads that start together, each told its number; what each returned.
pub(crate) fn together<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
