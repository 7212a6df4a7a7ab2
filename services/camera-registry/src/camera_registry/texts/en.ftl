CAMERA_CHANGED_MEANWHILE = Somebody changed this camera since you read it. Read it again.
CAMERA_NOT_FOUND = There is no such camera in the regions you may see.
CAMERA_NOT_REGISTERED_THEN = At that moment this camera was not registered yet.
CAMERA_RETIRED = This camera was taken out of service for good.
IMPORT_NOT_FOUND = You have no import with this id.
KINDS_DIFFER = The two cameras are of different kinds, so they are not one camera.
NOT_ALLOWED = This region is not among yours.
SERIAL_TAKEN = Another camera in the register has this serial number.
