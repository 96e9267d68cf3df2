//! A pool of connections without unbounded waits.
//!
//! The pool of sqlx tests a returned connection for as long as the network allows, and its permit is
//! held meanwhile. Here nothing is sent when a connection is returned. Only a connection whose last
//! statement succeeded is used again, and all others are closed.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::dialect::Dialect;
use super::error::StoreError;

/// A connection older than this is not used again, so that a store follows a server that moved.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(250);

pub(crate) struct PoolConfig<D: Dialect> {
    pub(crate) options: <D::Connection as Connection>::Options,
    pub(crate) max_connections: usize,
    /// Bounds each attempt to connect.
    pub(crate) connect_timeout: Duration,
    /// Bounds the first statement of a connection that was idle, which may be dead. `None` if a
    /// connection cannot die.
    pub(crate) idle_timeout: Option<Duration>,
}

pub(crate) struct Pool<D: Dialect>(Arc<Shared<D>>);

struct Shared<D: Dialect> {
    config: PoolConfig<D>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Live<D>>>,
}

struct Live<D: Dialect> {
    connection: D::Connection,
    since: Instant,
}

/// A connection with its permit. Dropping it closes the connection and returns the permit;
/// [`release`](Self::release) keeps the connection.
pub(crate) struct Lease<D: Dialect> {
    live: Live<D>,
    was_idle: bool,
    pool: Pool<D>,
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

impl<D: Dialect> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialect> Pool<D> {
    pub(crate) fn new(config: PoolConfig<D>) -> Self {
        Self(Arc::new(Shared {
            permits: Arc::new(Semaphore::new(config.max_connections)),
            idle: Mutex::default(),
            config,
        }))
    }

    /// Waits for a permit, and connects if no connection is idle.
    pub(crate) async fn lease(&self, deadline: Instant) -> Result<Lease<D>, StoreError> {
        let permits = Arc::clone(&self.0.permits);
        let permit = match timeout_at(deadline, permits.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::connection("the store is closed")),
            Err(_) => return Err(StoreError::timed_out()),
        };
        let idle = self.take_idle();
        let was_idle = idle.is_some();
        let live = match idle {
            Some(live) => live,
            None => self.connect(deadline).await?,
        };
        Ok(Lease {
            live,
            was_idle,
            pool: self.clone(),
            deadline,
            _permit: permit,
        })
    }

    /// Closes all connections, after the calls that have begun.
    pub(crate) async fn close(&self, limit: Duration) {
        let all = u32::try_from(self.0.config.max_connections).unwrap_or(u32::MAX);
        let permits = timeout(limit, self.0.permits.acquire_many(all)).await;
        self.0.permits.close();
        drop(permits);
        let idle = std::mem::take(&mut *self.idle());
        for live in idle {
            // Dropped if it does not close in time.
            let _ = timeout(limit, live.connection.close()).await;
        }
    }

    fn take_idle(&self) -> Option<Live<D>> {
        let mut idle = self.idle();
        idle.retain(|live| live.since.elapsed() < MAX_LIFETIME);
        idle.pop()
    }

    /// Repeats the attempt while the server is not there or not ready yet.
    async fn connect(&self, deadline: Instant) -> Result<Live<D>, StoreError> {
        let config = &self.0.config;
        let mut pause = FIRST_PAUSE;
        loop {
            let limit = deadline.min(Instant::now() + config.connect_timeout);
            let failed = match timeout_at(limit, config.options.connect()).await {
                Ok(Ok(mut connection)) => {
                    within(Some(config.connect_timeout), D::prepare(&mut connection)).await?;
                    let since = Instant::now();
                    return Ok(Live { connection, since });
                }
                Ok(Err(error)) if D::is_transient(&error) => not_connected(&error),
                Ok(Err(error)) => return Err(not_connected(&error)),
                Err(_) => StoreError::timed_out(),
            };
            if Instant::now() + pause >= deadline {
                return Err(failed);
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Live<D>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialect> Lease<D> {
    pub(crate) fn connection(&mut self) -> &mut D::Connection {
        &mut self.live.connection
    }

    pub(crate) fn first_timeout(&self) -> Option<Duration> {
        self.pool.0.config.idle_timeout.filter(|_| self.was_idle)
    }

    /// Connects again if the first statement failed and the connection was idle, hence possibly dead.
    /// Returns `true` if so: the statement must be repeated. Also closes the other idle connections,
    /// since whatever happened to one happened to all.
    pub(crate) async fn reconnect_if_dead<T>(
        &mut self,
        first: &Result<T, StoreError>,
    ) -> Result<bool, StoreError> {
        if first.is_ok() || self.first_timeout().is_none() {
            return Ok(false);
        }
        self.pool.idle().clear();
        self.live = self.pool.connect(self.deadline).await?;
        self.was_idle = false;
        Ok(true)
    }

    /// Keeps the connection for the next call. Its last statement must have succeeded, and no
    /// transaction may be open.
    pub(crate) fn release(self) {
        if !self.pool.0.permits.is_closed() {
            self.pool.idle().push(self.live);
        }
    }
}

fn not_connected(error: &sqlx::Error) -> StoreError {
    StoreError::connection("there is no connection to the database").with_source(error.to_string())
}

/// Bounds a call, if there is a limit.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let Some(limit) = limit else {
        return call.await;
    };
    let result = timeout(limit, call).await;
    result.unwrap_or_else(|_| Err(StoreError::timed_out()))
}
