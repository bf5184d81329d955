//! One run: everything that happens for a seed.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::Client;
use crate::history::History;
use crate::lease::{Manner, lease};
use crate::mutation::Mutation;
use crate::network::LATEST_MS;
use crate::scenario::{Phase, Scenario};
use crate::world::World;

/// A run, and what it was like.
#[derive(Debug)]
pub struct Run {
    /// Who and what took part.
    pub scenario: Scenario,
    /// What happened.
    pub history: History,
}

/// Carries out the run of `seed`. The same seed and mutation always give the same run.
///
/// # Panics
///
/// If the operating system refuses a runtime.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Run {
    let mut rng = Rng::with_seed(seed);
    let scenario = Arc::new(Scenario::of(&mut rng));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing that can be lacking");
    let history = runtime.block_on(play(Arc::clone(&scenario), rng, mutation));
    // Calls of crashed clients wait forever: they go with the runtime.
    drop(runtime);
    let scenario = Arc::into_inner(scenario).expect("nothing runs any more");
    Run { scenario, history }
}

async fn play(scenario: Arc<Scenario>, rng: Rng, mutation: Option<Mutation>) -> History {
    let world = World::new(rng, scenario.network, mutation, scenario.skew_ms);
    let clients: Vec<_> = (0..scenario.clients).map(|_| start(&world, &scenario)).collect();
    let stage = Stage {
        world: world.clone(),
        clients: Arc::new(Mutex::new(clients)),
        scenario: Arc::clone(&scenario),
    };
    for phase in &scenario.phases {
        stage.play(phase).await;
    }
    // What is still under way arrives, and is settled.
    sleep(Duration::from_millis(4 * LATEST_MS)).await;
    let mut history = std::mem::take(&mut world.state().history);
    history.denials_hold_ms = scenario.denials_hold_ms();
    history
}

fn start(world: &World, scenario: &Scenario) -> Client {
    let skew = scenario.skew(&mut world.state().rng);
    Client::start(world, scenario, skew)
}

/// Where phases are played.
#[derive(Clone)]
struct Stage {
    world: World,
    clients: Arc<Mutex<Vec<Client>>>,
    scenario: Arc<Scenario>,
}

impl Stage {
    async fn play(&self, phase: &Phase) {
        sleep(phase.idle).await;
        let mut acts: Vec<JoinHandle<()>> = Vec::new();
        for _ in 0..phase.calls {
            let begins = self.world.up_to(phase.spread);
            let manner = Manner::of(&self.world, self.scenario.impatient);
            let (stage, versions) = (self.clone(), phase.versions);
            acts.push(self.later(begins, async move {
                let client = stage.some_client();
                let parts = stage.scenario.call(&mut stage.world.state().rng, versions, client.lags());
                let work = lease(stage.world.clone(), client.clone(), parts, manner);
                // The caller is gone if its process crashes.
                let _ = client.spawn(work).await;
            }));
        }
        for _ in 0..phase.crashes {
            let stage = self.clone();
            acts.push(self.later(self.world.up_to(phase.spread), async move { stage.crash_one() }));
        }
        if phase.outage {
            let (stage, lasts) = (self.clone(), self.world.up_to(Duration::from_secs(10)));
            acts.push(self.later(self.world.up_to(phase.spread), async move {
                let up = stage.scenario.network;
                stage.world.state().network = up.down();
                sleep(lasts).await;
                stage.world.state().network = up;
            }));
        }
        for _ in 0..3 {
            let stage = self.clone();
            acts.push(self.later(self.world.up_to(phase.spread), async move {
                stage.world.delete_expired(stage.scenario.expiry_ahead_ms);
                if stage.world.chance(300) {
                    let skew = stage.scenario.skew(&mut stage.world.state().rng);
                    stage.some_client().set_skew(skew);
                }
            }));
        }
        for act in acts {
            act.await.expect("no act of a play panics");
        }
    }

    fn later(&self, begins: Duration, act: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.world.runtime().spawn(async move {
            sleep(begins).await;
            act.await;
        })
    }

    fn some_client(&self) -> Client {
        let clients = self.clients.lock();
        let chosen = self.world.state().rng.usize(..clients.len());
        clients[chosen].clone()
    }

    fn crash_one(&self) {
        let new = start(&self.world, &self.scenario);
        let mut clients = self.clients.lock();
        let chosen = self.world.state().rng.usize(..clients.len());
        std::mem::replace(&mut clients[chosen], new).crash();
    }
}
