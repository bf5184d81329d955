//! scratch
use zae_limiter::{Block, LimitSet, Limiter};
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
fn main() {
    let keys: usize = std::env::args().nth(2).map_or(10_000, |k| k.parse().unwrap());
    let ids: Vec<String> = (0..keys).map(|i| format!("user-{:07}", (i * 7919) % keys)).collect();
    let limiter = Limiter::open("memory:").wait().unwrap();
    let one: LimitSet = "rpm=100k/h:burst=1000M".parse().unwrap();
    let two: LimitSet = "rpm=100k/h:burst=1000M,tpm=10M/h:burst=100000M".parse().unwrap();
    let small: LimitSet = "rpm=1/day".parse().unwrap();
    let mode = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(3).map_or(5_000_000, |n| n.parse().unwrap());
    let set = if mode.contains('2') || mode == "parent" { &two } else { &one };
    let handles: Vec<_> = ids.iter().map(|id| limiter.acquire(id, "gpt-4", set).prepare().wait().unwrap()).collect();
    if mode == "parent" {
        for i in 0..100.min(keys) { limiter.create_entity(&format!("p{i}")).wait().unwrap(); }
        for (i, id) in ids.iter().enumerate() { limiter.create_entity(id).parent(&format!("p{}", i % 100)).wait().unwrap(); }
    }
    let gov = std::sync::LazyLock::new(|| governor::RateLimiter::<String, _, _, _>::keyed(governor::Quota::per_minute(std::num::NonZeroU32::new(1_000_000_000).unwrap())));
    let crab = std::sync::Mutex::new(throttlecrab::RateLimiter::new(throttlecrab::AdaptiveStore::with_capacity(keys)));
    let clock = zae_limiter::SystemClock;
    let call = |i: usize| match mode.as_str() {
        "name" => limiter.acquire(&ids[i % keys], "gpt-4", &one).consume("rpm", 1).wait().unwrap().commit().wait().unwrap(),
        "name2" => limiter.acquire(&ids[i % keys], "gpt-4", &two).consume("rpm", 1).consume("tpm", 100).wait().unwrap().commit().wait().unwrap(),
        "parent" => limiter.acquire(&ids[i % keys], "gpt-4", &two).cascade(true).consume("rpm", 1).consume("tpm", 100).wait().unwrap().commit().wait().unwrap(),
        "denied" => { let _ = std::hint::black_box(limiter.acquire(&ids[i % keys], "gpt-4", &small).consume("rpm", 1).wait().map(|lease| lease.commit().wait().unwrap()).is_ok()); }
        "handle" => handles[i % keys].acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap(),
        "handle2" => handles[i % keys].acquire(&[("rpm", 1), ("tpm", 100)]).wait().unwrap().commit().wait().unwrap(),
        "governor" => { std::hint::black_box(gov.check_key(&ids[i % keys]).is_ok()); }
        "crab" => { std::hint::black_box(crab.lock().unwrap().rate_limit(&ids[i % keys], 1_000_000_000, 1_000_000_000, 60, 1, std::time::SystemTime::now()).unwrap().0); }
        "clock" => { std::hint::black_box(zae_limiter::Clock::now(&clock)); }
        "none" => { std::hint::black_box(&ids[i % keys]); }
        _ => panic!(),
    };
    for i in 0..keys.max(100) { call(i); }
    let t = cpu();
    for i in 0..n { call(i); }
    println!("{} {}", mode, (cpu() - t) as f64 / n as f64);
}
