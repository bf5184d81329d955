//! scratch
use zae_limiter::{Block, LimitSet, Limiter};
fn main() {
    let keys: usize = std::env::args().nth(2).map_or(10_000, |k| k.parse().unwrap());
    let ids: Vec<String> = (0..keys).map(|i| format!("user-{:07}", (i * 7919) % keys)).collect();
    let limiter = Limiter::open("memory:").wait().unwrap();
    let one: LimitSet = "rpm=1000M/min".parse().unwrap();
    let mode = std::env::args().nth(1).unwrap();
    let handles: Vec<_> =
        ids.iter().map(|id| limiter.acquire(id, "gpt-4", &one).prepare().wait().unwrap()).collect();
    let t = std::time::Instant::now();
    let n: usize = std::env::args().nth(3).map_or(5_000_000, |n| n.parse().unwrap());
    for i in 0..n {
        if mode == "name" {
            limiter
                .acquire(&ids[i % keys], "gpt-4", &one)
                .consume("rpm", 1)
                .wait()
                .unwrap()
                .commit()
                .wait()
                .unwrap();
        } else {
            handles[i % keys].acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap();
        }
    }
    println!("{} {}", mode, t.elapsed().as_nanos() as f64 / n as f64);
}
