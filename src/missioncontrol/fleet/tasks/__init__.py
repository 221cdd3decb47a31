"""The task queue: the tasks of the state, in step with the file that agents edit by hand."""

from missioncontrol.fleet.tasks.queue import TaskQueue
from missioncontrol.fleet.tasks.task import PRIORITIES, STATUSES

__all__ = ["PRIORITIES", "STATUSES", "TaskQueue"]
