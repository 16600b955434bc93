"""Users that Locust drives, and the transfer of their measurements out of its process.

`choirbook perf test` runs Locust with this file, and with `--plan` and `--measured`. Plain `locust` works
too, with the file `locustfile.py` of the checkout: the plan is then made here, from `--host` and the
options below.
"""

from __future__ import annotations

import gc
import itertools
import random
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import msgspec
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from choirbook_perf import plan as plans
from choirbook_perf import planner, scenario
from choirbook_perf.errors import PerfError
from choirbook_perf.plan import PlannedTask
from choirbook_perf.recorder import Key, Recorder
from choirbook_perf.targets import (
    FIRST_ID,
    UNKNOWN,
    Handshake,
    Judge,
    Judged,
    Opened,
    Operation,
    Request,
    Session,
    numbered,
    opened,
)

_GC_THRESHOLD = 100_000
_TIMEOUT_S = 30.0

# A worker may be told to spawn users while its `init` event still waits for the server's listing.
_ready: gevent.event.AsyncResult[Load] = gevent.event.AsyncResult()


class Load:
    """Plan and counts shared by all users of a process."""

    def __init__(self, environment: Environment, plan: plans.Plan, measured: Path | None) -> None:
        self.plan = plan
        self.recorder = Recorder()
        self.judge = Judge()
        self.started_s = time.time()
        self.ended_s: float | None = None
        self._environment = environment
        self._measured = measured

    def begin(self, **_: Any) -> None:
        """Record the start of a run."""
        self.started_s, self.ended_s = time.time(), None
        gevent.spawn(self._tell_every_second)

    def end(self, **_: Any) -> None:
        """Record the end of a run."""
        self.ended_s = self.ended_s or time.time()

    def save(self, **_: Any) -> None:
        """Write the counts for the runner."""
        if self._measured is not None:
            measured = self.recorder.measured(self.started_s, self.ended_s or time.time())
            self._measured.write_bytes(msgspec.json.encode(measured))

    def warn(self, **_: Any) -> None:
        """Record that this process is short of CPU."""
        self.recorder.is_saturated = True

    def hand_on(self, data: dict[str, Any], **_: Any) -> None:
        """Add the counts since the last report to a worker's report."""
        data["choirbook"] = self.recorder.take()

    def collect(self, data: dict[str, Any], **_: Any) -> None:
        """Add the counts that a worker reports."""
        if "choirbook" in data:
            self.recorder.merge(data["choirbook"])

    def _tell_every_second(self) -> None:
        runner = self._environment.runner
        while self.ended_s is None and runner is not None:
            now_s = time.time()
            self.recorder.see_users(runner.user_count, now_s)
            if self._measured is not None:
                progress = self.recorder.progress(self.started_s, now_s, runner.user_count)
                print(msgspec.json.encode(progress).decode(), flush=True)
            gevent.sleep(1 - (time.time() % 1))


def _add_options(parser: Any) -> None:
    parser.add_argument("--protocol", choices=("http", "mcp"), default="http", help="Protocol to use.")
    parser.add_argument("--era", choices=("auto", "modern", "handshake"), default="auto", help="Era of MCP.")
    parser.add_argument("--think-time", default="", help="Range of seconds such as 0.1-0.5, or none.")
    parser.add_argument("--scenario", default="", help="TOML file.  [default: the built-in mix]")
    parser.add_argument("--plan", default="", help="Made by choirbook perf test.", include_in_web_ui=False)
    parser.add_argument(
        "--measured", default="", help="Read by choirbook perf test.", include_in_web_ui=False
    )


def _prepare(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None
    load = Load(environment, _plan(options), Path(options.measured) if options.measured else None)
    hooks = environment.events
    hooks.cpu_warning.add_listener(load.warn)
    if isinstance(environment.runner, WorkerRunner):
        hooks.report_to_master.add_listener(load.hand_on)
    else:
        hooks.test_start.add_listener(load.begin)
        hooks.test_stopping.add_listener(load.end)
        # After all users, and all workers, have stopped.
        hooks.quit.add_listener(load.save)
    if isinstance(environment.runner, MasterRunner):
        hooks.worker_report.add_listener(load.collect)
    # A full collection pauses all users while it walks Locust's own objects, which looks like server latency.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    _ready.set(load)


def _plan(options: Any) -> plans.Plan:
    if options.plan:
        return plans.load(Path(options.plan))
    try:
        mix = scenario.load(Path(options.scenario)) if options.scenario else None
        think_time_s = scenario.parse_think_time(options.think_time) if options.think_time else None
        url = options.host or ""
        return planner.make_plan(url, options.protocol, options.era, mix, think_time_s)
    except PerfError as error:
        raise SystemExit(f"choirbook: {error.message}") from error


events.init_command_line_parser.add_listener(_add_options)
events.init.add_listener(_prepare)


class ResourceUser(FastHttpUser):
    """A member of a project whose agent reads resources."""

    network_timeout = _TIMEOUT_S
    connection_timeout = _TIMEOUT_S
    max_redirects = 2

    _numbers = itertools.count()

    def __init__(self, environment: Environment) -> None:
        load = _ready.get(timeout=_TIMEOUT_S)
        assert load is not None
        if load.plan.url.startswith("https:"):
            self.insecure = load.plan.tls.is_insecure
            self.ssl_context_factory = load.plan.tls.context
        super().__init__(environment)
        self._plan = load.plan
        self._recorder = load.recorder
        self._judge = load.judge
        self._weights = [each.weight for each in self._plan.tasks]
        self._project = self._plan.projects[self._number(environment) % len(self._plan.projects)]
        self._session = Session()
        self._ids = itertools.count(FIRST_ID + 1)

    def _number(self, environment: Environment) -> int:
        # Each worker starts at a different place, so that few users each are still spread over all projects.
        first = getattr(environment.runner, "worker_index", 0) * (len(self._plan.projects) // 2)
        return first + next(self._numbers)

    def wait_time(self) -> float:
        """Return the pause until the next read, in seconds."""
        range_s = self._plan.think_time_s
        return random.uniform(range_s[0], range_s[1]) if range_s else 0.0  # noqa: S311

    def on_start(self) -> None:
        """Open a session, if the era requires it."""
        if self._plan.handshake:
            self._open(self._plan.handshake)

    def on_stop(self) -> None:
        """End the session, if there is one."""
        self._end(self._session)
        self._session = Session()

    @task
    def read(self) -> None:
        """Send one operation of the mix."""
        if self._plan.handshake and not self._session.version:
            self._open(self._plan.handshake)
            return
        picked: PlannedTask = random.choices(self._plan.tasks, self._weights)[0]  # noqa: S311
        operation: Operation = random.choice(picked.operations)  # noqa: S311
        session = Session() if operation.opens_session else self._session
        with self._send(operation.request, operation.name, session) as response:
            judged = self._judged(operation, response)
            if judged.failure:
                response.failure(judged.failure)
            self._record(operation, judged, response.request_meta["response_time"] / 1000)
            is_lost = session.is_lost(response.status_code)
            if operation.opens_session:
                session = _opened(response).session
        if operation.opens_session:
            self._end(session)
        elif is_lost and self._plan.handshake:
            # The status may mean something else, so that the session still exists.
            self._end(session)
            self._open(self._plan.handshake)

    def _judged(self, operation: Operation, response: Any) -> Judged:
        if failure := _transport_failure(response):
            return Judged(failure)
        return self._judge.judge(operation, response.status_code, response.headers, response.content or b"")

    def _record(self, operation: Operation, judged: Judged, latency_s: float) -> None:
        key = Key(operation.resource_type, judged.cache_result, self._project, operation.name)
        if judged.failure:
            self._recorder.fail(key, judged.failure, latency_s, time.time())
        else:
            self._recorder.record(key, latency_s, time.time())

    def _open(self, handshake: Handshake) -> None:
        with self._send(handshake.initialize, "initialize", Session()) as response:
            self._session, failure = _opened(response)
            if failure := _transport_failure(response) or failure:
                response.failure(failure)
                key = Key(UNKNOWN, UNKNOWN, self._project, "initialize")
                latency_s = response.request_meta["response_time"] / 1000
                self._recorder.fail(key, failure, latency_s, time.time())
                return
        with self._send(handshake.initialized, "initialized", self._session):
            pass

    def _end(self, session: Session) -> None:
        if not session.id or self._plan.handshake is None:
            return
        with self._send(self._plan.handshake.end, "end session", session) as response:
            # Servers may refuse (405), or have lost it already (404): neither is a failure of the load.
            if response.status_code:
                response.success()

    def _send(self, request: Request, name: str, session: Session) -> Any:
        request = session.prepare(request)
        if session.version and request.body is not None:
            request = request._replace(body=numbered(request.body, next(self._ids)))
        return self.client.request(
            request.method,
            request.url,
            name=name,
            data=request.body,  # type: ignore[arg-type]
            headers=request.headers,
            catch_response=True,
        )


def _opened(response: Any) -> Opened:
    return opened(response.status_code, response.headers or {}, response.content or b"")


def _transport_failure(response: Any) -> str:
    """Return why no complete response arrived, "" if one did."""
    if response.status_code == 0:
        return f"no answer: {response.error}"
    if response.request_meta["exception"] and response.status_code < 400:  # noqa: PLR2004
        return f"the answer ended early: {response.request_meta['exception']}"
    return ""
