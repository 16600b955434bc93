"""What runs inside Locust, in a process of its own: gevent patches the whole process that imports it."""
