"""The process around control: settings, kopf's watches, metrics, logs. The only room that imports kopf."""
