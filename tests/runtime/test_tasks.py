import asyncio

import pytest

from choirbook.runtime.tasks import end_tasks


async def for_ever(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append(name)


async def fail() -> None:
    raise ValueError("of the task's own")


async def test_all_have_ended_when_the_call_is_over() -> None:
    ended: list[str] = []
    tasks = [asyncio.create_task(for_ever(ended, name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    await end_tasks(*tasks)
    assert sorted(ended) == ["a", "b"]
    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_was_never_started_and_no_task_at_all_are_ended_at_once() -> None:
    await end_tasks(None)
    await end_tasks()


async def test_a_task_that_has_failed_or_ended_before_does_no_harm() -> None:
    failed, done = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0, "result"))
    await asyncio.wait({failed, done})
    await end_tasks(failed, done)
    assert done.result() == "result"
    with pytest.raises(ValueError, match="own"):
        failed.result()
